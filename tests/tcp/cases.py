"""What a case is, and in which runs it is run.

A case is a coroutine over a Conn whose every step may have a move before it. It says how many steps
it has while its connection exists; the run that never moves checks that.
"""
import dataclasses
import re

from conn import Options

ALL = {}


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    script: object
    app: str
    steps: int
    options: Options
    families: tuple
    stays: str  # why it is not run with moves; empty: it is


@dataclasses.dataclass(frozen=True)
class Run:
    case: Case
    family: int
    moves: str  # "never", "every", or the number of the step that a move comes before

    @property
    def name(self):
        return f"{self.case.name}-v{self.family}-{self.moves}"

    def moves_before(self, step):
        return self.moves == "every" or self.moves == str(step)


def case(steps, app="echo", options=None, families=(4, 6), stays=""):
    def register(script):
        assert script.__name__ not in ALL, script.__name__
        ALL[script.__name__] = Case(script.__name__, script, app, steps, options or Options(),
                                    families, stays)
        return script
    return register


def runs():
    """Each case unmoved, with a move before each step, and with one before every step, there and
    back; the single moves over IPv4 and IPv6 in turn."""
    found = []
    for one in ALL.values():
        for family in one.families:
            found.append(Run(one, family, "never"))
            if not one.stays:
                found.append(Run(one, family, "every"))
        if not one.stays:
            found += [Run(one, one.families[step % len(one.families)], str(step))
                      for step in range(1, one.steps + 1)]
    return {run.name: run for run in found}


def title(one):
    """The first sentence of what the case says of itself."""
    return re.split(r"[.:]\s", " ".join((one.script.__doc__ or "").split()))[0]
