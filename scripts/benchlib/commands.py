"""The command line of scripts/bench."""
import argparse
import json
import os
import signal
import subprocess
import sys

from demolib.cluster import ROOT, Failure

from . import engine, loss, migration, rows, scale

DESCRIPTION = """\
Measures migd on this machine, each row side by side with what it is compared with, in the same run,
in turns. A figure is the median of at least five runs, with the least and the greatest. What is
compared by its latency runs on one processor. Nothing else should run on the machine meanwhile.

Each row has: table, row, unit, ours, min, max, runs, against, opponent, opponent_min, opponent_max,
ratio (ours to the opponent's), target, target_of ("ours" or "ratio"), at_least (else at most),
met, note, error.
`met` is null where there is no target. A row whose measurement fails, or whose opponent is missing,
has an error and is not met.

Exit code: 0 when every row was measured, whether or not it met its target; 1 when one was not.
docs/performance.md holds the tables of a quiet machine, and says what limits them.
"""

TABLES = {"migration": migration.GROUPS, "loss": loss.GROUPS, "engine": engine.GROUPS,
          "scale": scale.GROUPS}


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", choices=[*TABLES, []],
                        help=f"which (default: all): {', '.join(TABLES)}")
    parser.add_argument("--quick", action="store_true",
                        help="few and short runs: shows that it runs, its figures mean nothing")
    parser.add_argument("--json", action="store_true",
                        help="one line of JSON on standard output, an array of rows")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        if "MIGD_BINARY" not in os.environ:
            bootstrap()
        if "engine" in (options.tables or TABLES):
            bootstrap("--opponents", check=False)  # without them their rows fail, and say so
        say(machine())
        measured = [row for table in options.tables or TABLES
                    for row in measure(table, options.quick)]
    except (Failure, OSError, subprocess.CalledProcessError) as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        say("bench: interrupted")
        return 130
    if options.json:
        print(json.dumps([row.to_json() for row in measured]))
    else:
        print(rows.text(measured))
    return 1 if any(row.error for row in measured) else 0


def bootstrap(*arguments, check=True):
    subprocess.run([os.path.join(ROOT, "scripts/bootstrap"), *arguments], check=check,
                   stdout=sys.stderr)


def measure(table, quick):
    """Group by group; one that fails does not keep the others from being measured."""
    for names, group in TABLES[table]:
        say(f"== {table}: {', '.join(names)}")
        try:
            found = group(quick, say)
        except (Failure, OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            found = [rows.Row(name, error=f"{type(error).__name__}: {error}") for name in names]
        for row in found:
            row.table = table
            if row.error:
                say(f"bench: {row.row}: {row.error}")
            yield row


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file
                      if line.startswith("model name")), "unknown processor")
    system = os.uname()
    return (f"{model}, {os.cpu_count()} processors, {system.sysname} {system.release}, load "
            f"{os.getloadavg()[0]:.2f}")


def say(text):
    print(text, file=sys.stderr, flush=True)
