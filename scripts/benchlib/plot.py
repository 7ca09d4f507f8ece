"""The command line of scripts/plot: one SVG for each table that `scripts/bench --json` prints."""
import argparse
import json
import math
import os
import sys
from xml.sax.saxutils import escape

DESCRIPTION = """\
Reads the line that `scripts/bench --json` prints from standard input, and writes TABLE.svg for each
table into FOLDER: for each row its ratio to the opponent, or, where there is none, to its target.
1 is as good as that; the axis is logarithmic. A tick stands where the target is. A row that was not
measured says so.
"""
ROW_HEIGHT, NAMES, WIDTH, FIGURES, TOP = 22, 170, 420, 90, 34
COLOURS = {True: "#2a7f62", False: "#b3541e", None: "#6b7a8f"}  # met, not met, no target
STEPS = (1, 2, 5)


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/plot", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER")
    folder = parser.parse_args(arguments).folder
    try:
        rows = json.load(sys.stdin)
        for table in dict.fromkeys(row["table"] for row in rows):
            path = os.path.join(folder, f"{table}.svg")
            with open(path, "w", encoding="utf-8") as file:
                file.write(svg(table, [row for row in rows if row["table"] == table]))
            print(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"plot: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def figure(row):
    """(what the bar shows, where the target's tick stands); None for what there is not."""
    if row["error"] is not None:
        return None, None
    if row["ratio"] is not None:
        return row["ratio"], row["target"] if row["target_of"] == "ratio" else None
    if row["target"]:
        return row["ours"] / row["target"], 1
    return None, None


def svg(table, rows):
    figures = [figure(row) for row in rows]
    shown = [value for pair in figures for value in pair if value] + [1]
    low, high = _nice_below(min(shown)), _nice_above(max(shown))
    if low == high:
        low, high = low / 2, high * 2

    def x(value):
        share = (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return round(NAMES + WIDTH * share, 1)

    bottom = TOP + ROW_HEIGHT * len(rows)
    parts = ['<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{NAMES}" y="14" font-weight="bold">{escape(table)}: ratio to the opponent, '
             'or to the target</text>']
    for value in _steps(low, high):
        parts.append(f'<path d="M{x(value)} {TOP - 4}V{bottom}" stroke="'
                     f'{"#444" if value == 1 else "#ddd"}"/>'
                     f'<text x="{x(value)}" y="{TOP - 8}" text-anchor="middle" fill="#666">'
                     f'{value:g}</text>')
    for index, (row, (value, target)) in enumerate(zip(rows, figures)):
        parts += _row(row, value, target, TOP + ROW_HEIGHT * index, x)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{NAMES + WIDTH + FIGURES}" '
            f'height="{bottom + 8}" font-family="sans-serif" font-size="12">\n'
            + "\n".join(parts) + "\n</svg>\n")


def _row(row, value, target, y, x):
    middle = y + ROW_HEIGHT // 2 + 4
    yield f'<text x="{NAMES - 8}" y="{middle}" text-anchor="end">{escape(row["row"])}</text>'
    if value:
        left, right = sorted((x(1), x(value)))
        yield (f'<rect x="{left}" y="{y + 4}" width="{max(right - left, 1):.1f}" '
               f'height="{ROW_HEIGHT - 8}" fill="{COLOURS[row["met"]]}"/>')
    if target:
        yield (f'<path d="M{x(target)} {y + 1}V{y + ROW_HEIGHT - 1}" stroke="black" '
               'stroke-width="2"/>')
    text = "not measured" if row["error"] is not None else "0" if value == 0 else (
        f"{value:.3g}" if value else f'{row["ours"]:g} {row["unit"]}')
    yield f'<text x="{NAMES + WIDTH + 8}" y="{middle}">{escape(text)}</text>'


def _steps(low, high):
    exponent = math.floor(math.log10(low))
    while 10 ** exponent <= high:
        yield from (s * 10 ** exponent for s in STEPS if low <= s * 10 ** exponent <= high)
        exponent += 1


def _nice_below(value):
    exponent = math.floor(math.log10(value))
    return max(s * 10.0 ** exponent for s in STEPS if s * 10.0 ** exponent <= value * 1.000001)


def _nice_above(value):
    exponent = math.floor(math.log10(value))
    return min(s * 10.0 ** e for e in (exponent, exponent + 1) for s in STEPS
               if s * 10.0 ** e >= value * 0.999999)
