"""What the pages in docs/ name exists: every GoogleTest, every test of pytest and every file. They
prove what they claim by these names; those of tests/tcp are looked after there (test_table.py)."""
import fnmatch
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md")) + [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
FOLDERS = "base|stack|forwarder|migrator|app|cli|tests|bench|configs|scripts|cmake|docs"
GTEST = re.compile(r"\bTEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)")
SUITE = re.compile(r"[A-Z]\w*(?:Test|Tests)")


def defined_gtests():
    return {f"{suite}.{name}" for path in (ROOT / "tests").rglob("*.cc")
            for suite, name in GTEST.findall(path.read_text(encoding="utf-8"))}


def named_gtests(text, suites):
    """`Suite.Name`, `Suite.*`, `Suite`, and `.Name` for one more of the suite before."""
    found, suite = [], None
    for quoted in re.findall(r"`([^`\s]+)`", text):
        match = re.fullmatch(r"(\w*)\.([A-Z]\w*\*?|\*)", quoted)
        if match and (match[1] in suites or SUITE.fullmatch(match[1])):
            suite = match[1]
        elif SUITE.fullmatch(quoted):
            suite = quoted
            quoted = f"{quoted}.*"
        elif not (match and not match[1] and suite):
            continue
        found.append(quoted if not quoted.startswith(".") else suite + quoted)
    return found


def missing_gtests(text, defined):
    suites = {name.split(".")[0] for name in defined}
    return [name for name in named_gtests(text, suites)
            if not fnmatch.filter(defined, name)]


def missing_files(text):
    """Files and folders of the tree, and `FILE::test` of pytest."""
    wrong = []
    for quoted in re.findall(rf"`((?:{FOLDERS})/[\w./*-]+(?:::\w+)?)`", text):
        path, _, test = quoted.partition("::")
        if path.startswith("build"):
            continue
        found = list(ROOT.glob(path.rstrip("/")))
        if not found or test and f"def {test}(" not in found[0].read_text(encoding="utf-8"):
            wrong.append(quoted)
    return wrong


def proof_rows(text):
    """The rows of tables that have a column `proof`, as lists of cells."""
    rows, column = [], None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            column = None
        elif "proof" in cells:
            column = cells.index("proof")
        elif column is not None and set("".join(cells)) - set("-: "):
            rows.append((cells, column))
    return rows


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page):
    assert missing_gtests(page.read_text(encoding="utf-8"), defined_gtests()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page):
    assert missing_files(page.read_text(encoding="utf-8")) == []


def test_every_requirement_of_tcp_has_a_proof_or_a_reason():
    rows = proof_rows((ROOT / "docs/tcp.md").read_text(encoding="utf-8"))
    assert len(rows) > 80
    assert [cells for cells, column in rows if len(cells) <= column or not cells[column]] == []


def test_a_name_that_does_not_exist_is_found():
    defined = {"OneTest.Exists", "Other.Exists"}
    assert missing_gtests("`OneTest.Exists`, `.Exists`, `OneTest.*`, `Other.Ex*`, `OneTest`",
                          defined) == []
    assert missing_gtests("`OneTest.Gone`, `.Gone`, `GoneTest`, `Other.Gone*`", defined) == [
        "OneTest.Gone", "OneTest.Gone", "GoneTest.*", "Other.Gone*"]
    assert missing_files("`tests/tcp`, `tests/scripts/test_docs.py::missing_files`") == []
    assert missing_files("`stack/gone.h`, `tests/scripts/test_docs.py::gone`") == [
        "stack/gone.h", "tests/scripts/test_docs.py::gone"]
