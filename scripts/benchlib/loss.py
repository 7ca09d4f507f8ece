"""The table `loss`: one stream over a path of 20 ms that loses or reorders; one beside a flood."""
import statistics

from .rows import Row
from .wire import KERNEL, MIGD, Wired

OPPONENT = "the kernel's TCP with CUBIC"
DELAY_US = 10_000
LATE_US = 5000
SECONDS = 5
RUNS = 20

# Row: (direction of the data, lost and late in 10 000 of its segments)
ROWS = {
    "loss-0.1-in": ("in", 10, 0),
    "loss-0.1-out": ("out", 10, 0),
    "loss-1-in": ("in", 100, 0),
    "loss-1-out": ("out", 100, 0),
    "reorder": ("out", 0, 100),
}


def streams(quick, say):
    """A run of ours, then one of the kernel's with the same faults, and so on through the rows."""
    runs, seconds = (2, 1) if quick else (RUNS, SECONDS)
    ours, theirs = ({name: [] for name in ROWS} for _ in range(2))
    faults = {name: [0, 0] for name in ROWS}
    with Wired() as bed:
        for seed in range(1, runs + 1):
            for name, (direction, lost, late) in ROWS.items():
                both = (lost, 0, late, 0) if direction == "in" else (0, lost, 0, late)
                for server, rates in ((MIGD, ours[name]), (KERNEL, theirs[name])):
                    rate, seen = bed.run(server, direction, seconds,
                                         (DELAY_US, *both, LATE_US), seed)
                    rates.append(rate)
                    faults[name][0] += seen["lost"] + seen["late"]
                    faults[name][1] += seen["data"]
            say(f"run {seed} of {runs}: " + ", ".join(
                f"{name} {statistics.median(ours[name]):.1f}/{statistics.median(theirs[name]):.1f}"
                for name in ROWS))
    return [Row(name, "Mbit/s", ours[name], OPPONENT, theirs[name], target=0.9, target_of="ratio",
                at_least=True,
                note=f"{faults[name][0]} faults in {faults[name][1]} segments, of both")
            for name in ROWS]


FLOOD_SECONDS = 4
FLOOD_RUNS = 10


def flood(quick, say):
    """What is left of a stream while strangers send SYNs, and then random segments."""
    runs, seconds = (1, 1) if quick else (FLOOD_RUNS, FLOOD_SECONDS)
    kept = {MIGD: [], KERNEL: []}
    packets = 0
    with Wired(bridged=True) as bed:
        for number in range(1, runs + 1):
            for server, shares in kept.items():
                alone, _ = bed.run_in_flood(server, "out", seconds, flooded=False)
                flooded, sent = bed.run_in_flood(server, "out", seconds, flooded=True)
                shares.append(flooded / alone)
                packets += sum(sent.values())
            say(f"run {number} of {runs}: flood "
                f"{statistics.median(kept[MIGD]):.3f}/{statistics.median(kept[KERNEL]):.3f}")
    rate = packets / (2 * runs * seconds * 1000)
    return [Row("flood", "of the stream alone", kept[MIGD], OPPONENT, kept[KERNEL], target=0.8,
                target_of="ratio", at_least=True,
                note=f"{rate:.0f} 000 packets of strangers in a second")]


GROUPS = [(tuple(ROWS), streams), (("flood",), flood)]
