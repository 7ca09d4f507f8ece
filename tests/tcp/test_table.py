"""docs/tcp.md says what proves each requirement: every case stands there, and every name is one."""
import os
import re

import behaviour  # noqa: F401  (its cases register themselves)
import cases
from states import STATES

DOCS = os.path.join(os.path.dirname(__file__), "../../docs/tcp.md")


def named():
    with open(DOCS, encoding="utf-8") as file:
        section = file.read().split("## Case by case", 1)[1]
    return set(re.findall(r"`([a-z0-9_]+\*?)`", "".join(
        line for line in section.splitlines(True) if line.startswith("|"))))


def without_state(name):
    for state in STATES:
        if name.endswith(f"_{state}") and name.removesuffix(state) + "*" in named():
            return name.removesuffix(state) + "*"
    return name


def test_every_case_is_in_the_table():
    assert sorted({without_state(name) for name in cases.ALL} - named()) == []


def test_every_name_in_the_table_is_a_case():
    assert sorted(named() - {without_state(name) for name in cases.ALL}) == []


def test_every_case_says_what_it_is_about():
    assert [name for name, one in cases.ALL.items() if not one.script.__doc__] == []
