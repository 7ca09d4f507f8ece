"""The rules of CONTRIBUTING.md that a program can check."""
import pathlib
import re
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDER = ["base", "stack", "forwarder", "migrator", "app", "cli"]


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
                             *patterns], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def sources(*folders):
    return [path for path in tracked("*.h", "*.cc", "*.c")
            if path.relative_to(ROOT).parts[0] in folders]


def lines(path):
    return path.read_text(errors="replace").splitlines()


def offenders(paths, pattern, allowed=lambda path: False):
    found = []
    for path in paths:
        if allowed(path.relative_to(ROOT)):
            continue
        for number, line in enumerate(lines(path), 1):
            if re.search(pattern, line.split("//")[0]):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    return found


def test_includes_go_only_leftward():
    wrong = []
    for path in sources(*ORDER):
        place = ORDER.index(path.relative_to(ROOT).parts[0])
        for number, line in enumerate(lines(path), 1):
            included = re.match(r'\s*#\s*include\s+"([^"/]+)/', line)
            if not included:
                continue
            folder = included.group(1)
            if folder in ORDER and ORDER.index(folder) > place or folder in ("tests", "bench"):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def test_a_source_includes_its_own_header_first():
    wrong = []
    for path in sources(*ORDER, "tests"):
        name = str(path.relative_to(ROOT))
        included = re.findall(r'^#\s*include\s+["<]([^">]+)', path.read_text(), re.MULTILINE)
        if path.suffix == ".cc" and path.with_suffix(".h").is_file():
            if included[:1] != [name[:-len("cc")] + "h"]:
                wrong.append(name)
    assert not wrong, "\n".join(wrong)


def test_only_base_uv_sees_libuv():
    wrong = offenders(sources(*ORDER), r"#\s*include\s+<uv\.h>",
                      lambda path: path.parts[:2] == ("base", "uv"))
    assert not wrong, "\n".join(wrong)


def test_only_stack_sees_lwip():
    wrong = offenders(sources(*[f for f in ORDER if f != "stack"]), r'#\s*include\s+["<]lwip/')
    assert not wrong, "\n".join(wrong)


CLOCKS = (r"(steady|system|high_resolution)_clock::now|clock_gettime|gettimeofday|\buv_hrtime"
          r"|\buv_now|\bstd::this_thread|\brand\(|\brandom_device|\bmt19937")
OUTSIDE = r"#\s*include\s+<(sys/socket|unistd|fcntl|sys/epoll|fstream|iostream)"


def test_engines_own_no_clock_and_no_randomness():
    engines = [p for p in sources("base", "stack", "forwarder", "migrator", "app")
               if p.relative_to(ROOT).parts[:2] not in (("base", "uv"), ("stack", "links"))]
    wrong = offenders(engines, CLOCKS)
    assert not wrong, "\n".join(wrong)


def test_engines_do_no_io():
    engines = sources("forwarder", "migrator") + [
        p for p in sources("stack") if p.relative_to(ROOT).parts[:2] != ("stack", "links")]
    wrong = offenders(engines, OUTSIDE)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", tracked("*.h", "*.cc", "*.c", "*.py", "*.cmake", "CMakeLists.txt"),
                         ids=lambda path: str(path.relative_to(ROOT)))
def test_form(path):
    text = lines(path)
    name = path.relative_to(ROOT)
    long_lines = [f"{name}:{n}" for n, line in enumerate(text, 1) if len(line) > 100]
    assert not long_lines, "over 100 columns: " + ", ".join(long_lines)
    trailing = [f"{name}:{n}" for n, line in enumerate(text, 1) if line != line.rstrip()]
    assert not trailing, "white space at the end: " + ", ".join(trailing)
    if path.suffix in (".h",) and not str(name).startswith("stack/lwip/"):
        assert text and text[0].startswith("//"), f"{name}: says nothing about its purpose on top"
        assert "#pragma once" in text, f"{name}: no include guard"


def test_clang_format_would_change_nothing():
    files = [str(path.relative_to(ROOT)) for path in sources(*ORDER, "tests", "bench")
             if path.relative_to(ROOT).parts[:2] != ("stack", "lwip")]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=ROOT,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_and_option_is_given_in_a_test():
    manual = (ROOT / "docs/man/migd.8").read_text()
    names = set(re.findall(r"^\.It Cm ([a-z]+)", manual, re.MULTILINE))
    names |= {"-" + name for name in re.findall(r"\.It.* Fl (-[a-z-]+)", manual)}
    assert len(names) > 15
    given = "".join(path.read_text() for path in tracked("tests/cli/*.cc", "tests/ns/*.py",
                                                         "tests/scripts/*.py"))
    missing = sorted(name for name in names if f'"{name}"' not in given)
    assert not missing, "no test gives " + ", ".join(missing)


def test_nothing_of_this_machine():
    wrong = []
    places = [str(ROOT), f"{pathlib.Path.home()}/", f"{tempfile.gettempdir()}/build-"]
    pattern = re.compile("|".join(map(re.escape, places))
                         + r"|bash_jobs|\bdeb\.debian\b|\bregistry\.npmjs")
    for path in tracked():
        if path.suffix in (".hex", ".pcap") or path == pathlib.Path(__file__).resolve():
            continue
        for number, line in enumerate(lines(path), 1):
            if pattern.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not wrong, "\n".join(wrong)


def test_lwip_is_not_in_the_tree():
    assert not [path for path in tracked("*.c", "*.h")
                if "Swedish Institute" in path.read_text(errors="replace")]


def test_docs_know_the_stages_of_a_migration():
    code = (ROOT / "migrator/stages.h").read_text()
    rules = re.findall(r"\{Stage::k(\w+),.*?(true|false)\}", code, re.DOTALL)
    docs = (ROOT / "docs/life_of_a_migration.md").read_text()
    table = docs[docs.index("| stage | source | target | way back |"):].split("\n\n")[0]
    told = re.findall(r"^\| (\**)([a-z]+)\** \|", table, re.MULTILINE)[1:]  # bold: no return
    assert [(name, bool(bold)) for bold, name in told] == [
        (name.lower(), final == "true") for name, final in rules]
