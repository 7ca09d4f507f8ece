"""The table `migration`: what it costs to move a connection."""
import contextlib
import statistics
import time

from demolib.cluster import Failure

from .bed import Bed, IdleClients, awake, json_of, only_on, processors, program
from .rows import Row

TWO = "two nodes, the first of them the forwarder"
THIRD = "two nodes, a third is the forwarder"
ONE_PROCESSOR = "two nodes and the client on one processor"
OURS = (TWO, THIRD, ONE_PROCESSOR)
QUIET = "TCP_REPAIR, moved while the client waits for the application"
QUIET_ONE = f"{QUIET}, all of it on one processor"
AT_ONCE = "TCP_REPAIR, moved at the moment it is asked for"

PAUSE_US = 2000  # between two moves


# ---- in process ----

def in_process(quick, say):
    idle = _moves(0, 1000, 20_000 if quick else 500_000, 2 if quick else 5)
    full = _moves(65536, 100, 400 if quick else 20_000, 2 if quick else 5)
    rows = []
    for name, runs, target in (("move-idle", idle, 1.0), ("move-64k", full, 25.0)):
        plain = [run for run in runs if not run["blob"]]
        blob = [run for run in runs if run["blob"]]
        rows += [Row(name, "us", _sums(plain, "capture", "attach", "release"), target=target,
                     note=_steps(plain, "freeze", "capture", "attach", "release", "thaw")),
                 Row(f"{name}-blob", "us",
                     _sums(blob, "capture", "encode", "decode", "attach", "release"),
                     note=_steps(blob, "capture", "encode", "decode", "attach", "release"))]
        say(f"{name}: {rows[-2].ours:.3g} us, as a blob {rows[-1].ours:.3g} us")
    return rows


def _moves(size, connections, moves, runs):
    with only_on(processors()[0]):
        return json_of([program("migd-bench-moves"), *map(str, (size, connections, moves, runs))])


def _sums(runs, *steps):
    return [sum(run[step] for step in steps) / 1000 for run in runs]


def _steps(runs, *steps):
    medians = (f"{step} {statistics.median(run[step] for run in runs) / 1000:.2f}"
               for step in steps)
    return "us of each step: " + ", ".join(medians)


# ---- what a client sees of a move ----

def seen_by_a_client(quick, say):
    """The runs of ours, of the opponent and of the controls take turns. Like two machines, each of
    the two nodes has a processor; the client shares the first's."""
    runs, moves, quiet_moves, at_once_moves = (2, 80, 20, 10) if quick else (10, 500, 100, 20)
    names = (*OURS, QUIET, QUIET_ONE, AT_ONCE)
    seen = {name: [] for name in (*names, *map(_control, names))}
    one, other = processors()
    with contextlib.ExitStack() as stack:
        stack.enter_context(awake(one, other))
        two, third, shared = (stack.enter_context(bed) for bed in (
            Bed(one, 0, other), Bed(one, 1, other), Bed(one, 0)))
        for bed in (two, shared):
            bed.prepare_opponent()
        for number in range(runs):
            for name, bed in ((TWO, two), (THIRD, third), (ONE_PROCESSOR, shared)):
                seen[name].append(bed.ping_pong(bed.echo, moves=moves, pause_us=PAUSE_US,
                                                movers=bed.movers()))
                still = seen[name][-1]["seconds"] / 2  # new connections take turns between the two
                seen[_control(name)].append([bed.ping_pong(bed.echo, seconds=still)
                                             for _ in bed.cluster.hosts])
            for name, bed, moment, count in ((QUIET, two, "quiet", quiet_moves),
                                             (AT_ONCE, two, "at-once", at_once_moves),
                                             (QUIET_ONE, shared, "quiet", quiet_moves)):
                with bed.opponent(moment) as (server, movers):
                    seen[name].append(bed.ping_pong(server, moves=count, pause_us=PAUSE_US,
                                                    movers=movers))
                seen[_control(name)].append([])
                for first in (0, 1):
                    with bed.opponent(moment, first) as (server, _):
                        seen[_control(name)][-1].append(bed.ping_pong(server, seconds=0.2))
            say(f"run {number + 1} of {runs}: " + ", ".join(
                f"{name} {_gaps(seen, name)[-1]:.0f} us" for name in names))
    return _gap_rows(seen) + _stall_rows(seen)


def _control(name):
    return f"{name}, not moved"


def _gaps(seen, name):
    """Of each run the median gap: the longest round trip during a move, less the control's."""
    return [statistics.median(run["longest_us"]) - _round_trip(still)
            for run, still in zip(seen[name], seen[_control(name)])]


def _round_trip(still):
    """Of a control: the mean of one at each node."""
    return statistics.mean(run["rtt_p50_us"] for run in still)


def _spread(seen, name):
    """The distribution of the gap over all moves."""
    gaps = sorted(longest - _round_trip(still)
                  for run, still in zip(seen[name], seen[_control(name)])
                  for longest in run["longest_us"])
    shares = (0.5, 0.9, 0.99, 0.999, 1)
    return f"{len(gaps)} moves " + ", ".join(
        f"{share:.1%} within {gaps[min(int(len(gaps) * share), len(gaps) - 1)]:.0f} us"
        for share in shares)


def _gap_rows(seen):
    def row(name, ours, against, target=None):
        trips = "round trip of the control: ours {:.1f} us, the opponent's {:.1f} us".format(
            *(statistics.median(map(_round_trip, seen[_control(whose)]))
              for whose in (ours, against)))
        spread = f"of {_spread(seen, ours)}; the opponent's of {_spread(seen, against)}"
        return Row(name, "us", _gaps(seen, ours), against, _gaps(seen, against), target=target,
                   target_of="ratio", note=f"{ours}; {trips}; {spread}")

    return [row("gap", TWO, QUIET, target=1.0), row("gap-at-once", TWO, AT_ONCE),
            row("gap-forwarder", THIRD, QUIET), row("gap-one-processor", ONE_PROCESSOR, QUIET_ONE)]


def _stall_rows(seen):
    def total(names, key):
        return sum(run[key] for name in names for run in seen[name])

    def others(names):
        return total(names, "stalls") - total(names, "time_outs")

    def in_10_000(names):
        return 10_000 * total(names, "time_outs") / total(names, "moves")

    def row(name, against, target):
        note = (f"{total(OURS, 'time_outs')} of {total(OURS, 'moves')} moves, the client "
                f"retransmitted {total(OURS, 'client_retransmissions')} times; opponent: "
                f"{total([against], 'time_outs')} of {total([against], 'moves')}")
        return Row(name, "moves in 10 000", [in_10_000(OURS)], against, [in_10_000([against])],
                   target=target, note=note)

    controls = sum(run["stalls"] - run["time_outs"]
                   for name in OURS for pair in seen[_control(name)] for run in pair)
    note = (f"over 20 ms without a time-out, in {total(OURS, 'seconds'):.0f} s and "
            f"{total(OURS, 'moves')} moves, and in the control's same time")
    return [row("stalls", QUIET, 0), row("stalls-at-once", AT_ONCE, None),
            Row("stalls-20ms", "round trips", [others(OURS)], "the control, not moved",
                [controls], target=controls, note=note)]


# ---- many at once ----

TIDY_S = 12  # after a drain the daemon gives memory back, within two of its looks at it


def batch(quick, say):
    connections, runs = (200, 2) if quick else (10_000, 6)
    seconds, kept = [], []
    with Bed() as bed:
        bed.wait_until(lambda: not bed.status(bed.first)["connections"], "the node is not idle")
        before = bed.resident_kib(bed.first)
        with IdleClients(bed, connections):
            bed.gather(connections)
            full = bed.resident_kib(bed.first)
            source, target = bed.first, bed.second
            for number in range(runs):
                seconds.append(bed.drain(source, target, connections))
                if source == bed.first:
                    time.sleep(TIDY_S)
                    kept.append(bed.resident_kib(source))
                say(f"{connections} connections {source} -> {target}: {seconds[-1]:.2f} s, "
                    f"{connections / seconds[-1]:.0f} moves/s")
                source, target = target, source
    grown = full - before
    return [
        Row("batch", "s", seconds, target=1.0,
            note=f"{connections} connections, by one drain"),
        Row("batch-memory", "KiB for each connection", [(k - before) / connections for k in kept],
            against="with its connections", opponent_values=[grown / connections],
            note=f"resident memory of the source over its {before} KiB without any, {TIDY_S} s "
                 "after they have moved away"),
    ]


GROUPS = [
    (("move-idle", "move-idle-blob", "move-64k", "move-64k-blob"), in_process),
    (("gap", "gap-at-once", "gap-forwarder", "gap-one-processor", "stalls", "stalls-at-once",
      "stalls-20ms"), seen_by_a_client),
    (("batch", "batch-memory"), batch),
]
