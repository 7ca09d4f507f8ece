"""The table `migration`: what it costs to move a connection."""
import statistics
import subprocess
import time

from demolib.cluster import Failure

from .bed import Bed, json_of, only_on, processors, program
from .rows import Row

QUIET = "TCP_REPAIR, moved while the client waits for the application"
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
    """The runs of ours, of the opponent and of both controls take turns."""
    runs, moves, quiet_moves, at_once_moves = (2, 100, 20, 10) if quick else (10, 1000, 100, 20)
    seen = {name: [] for name in ("ours", "control", QUIET, QUIET + " control", AT_ONCE)}
    with Bed(processors()[0]) as bed:
        bed.prepare_opponent()
        for number in range(runs):
            ours = bed.ping_pong(bed.echo, moves=moves, pause_us=PAUSE_US, movers=bed.movers())
            seen["ours"].append(ours)
            seen["control"].append(bed.ping_pong(bed.echo, seconds=ours["seconds"]))
            for moment, name, count in (("quiet", QUIET, quiet_moves),
                                        ("at-once", AT_ONCE, at_once_moves)):
                with bed.opponent(moment) as (server, movers):
                    seen[name].append(bed.ping_pong(server, moves=count, pause_us=PAUSE_US,
                                                    movers=movers))
            with bed.opponent("quiet") as (server, _):
                seen[QUIET + " control"].append(bed.ping_pong(server, seconds=0.3))
            say(f"run {number + 1} of {runs}: " + ", ".join(
                f"{name} {_gaps(seen[name], seen[control])[-1]:.0f} us" for name, control in
                (("ours", "control"), (QUIET, QUIET + " control"))))
    return _gap_rows(seen) + _stall_rows(seen)


def _gaps(runs, controls):
    """Of each run the median gap: the longest round trip during a move, less the control's."""
    return [statistics.median(run["longest_us"]) - control["rtt_p50_us"]
            for run, control in zip(runs, controls)]


def _gap_rows(seen):
    ours = _gaps(seen["ours"], seen["control"])
    quiet = _gaps(seen[QUIET], seen[QUIET + " control"])
    at_once = _gaps(seen[AT_ONCE], seen[QUIET + " control"])
    trips = "round trip of the control: ours {:.1f} us, the opponent's {:.1f} us".format(
        *(statistics.median(run["rtt_p50_us"] for run in seen[name])
          for name in ("control", QUIET + " control")))
    return [Row("gap", "us", ours, QUIET, quiet, target=1.0, target_of="ratio", note=trips),
            Row("gap-at-once", "us", ours, AT_ONCE, at_once, note=trips)]


def _stall_rows(seen):
    def total(name, key):
        return sum(run[key] for run in seen[name])

    def others(name):
        return total(name, "stalls") - total(name, "time_outs")

    def in_10_000(name):
        return 10_000 * total(name, "time_outs") / total(name, "moves")

    def row(name, against, target):
        note = (f"{total('ours', 'time_outs')} of {total('ours', 'moves')} moves, the client "
                f"retransmitted {total('ours', 'client_retransmissions')} times; opponent: "
                f"{total(against, 'time_outs')} of {total(against, 'moves')}")
        return Row(name, "moves in 10 000", [in_10_000("ours")], against, [in_10_000(against)],
                   target=target, note=note)

    note = (f"over 20 ms without a time-out, in {total('ours', 'seconds'):.0f} s and "
            f"{total('ours', 'moves')} moves, and in the control's same time")
    return [row("stalls", QUIET, 0), row("stalls-at-once", AT_ONCE, None),
            Row("stalls-20ms", "round trips", [others("ours")], "the control, not moved",
                [others("control")], target=others("control"), note=note)]


# ---- many at once ----

LOOK_EVERY_S = 0.1  # at a drain, whose own clock counts
TIDY_S = 12  # after a drain the daemon gives memory back, within two of its looks at it


def batch(quick, say):
    connections, runs = (200, 2) if quick else (10_000, 6)
    seconds, kept = [], []
    with Bed() as bed:
        bed.wait_until(lambda: not bed.status(bed.first)["connections"], "the node is not idle")
        before = bed.resident_kib(bed.first)
        with _idle_clients(bed, connections):
            _gather(bed, connections)
            full = bed.resident_kib(bed.first)
            source, target = bed.first, bed.second
            for number in range(runs):
                seconds.append(_drain(bed, source, target, connections))
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


class _idle_clients:
    """Connections that do nothing; on leaving, each must still echo."""

    def __init__(self, bed, count):
        self.count = count
        self.process = subprocess.Popen(
            bed.cluster.command("client", program("migd-bench-client"), "idle", bed.echo,
                                str(count)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.process.communicate()
            raise Failure(f"{count} connections could not be opened")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        output, _ = self.process.communicate("")
        if kind is None and f'"alive":{self.count}' not in output:
            raise Failure(f"of {self.count} connections not all echo: {output.strip()}")


def _gather(bed, connections):
    """All of them at the first host."""
    def at(*hosts):
        return sum(bed.status(host)["connections"] for host in hosts)

    bed.wait_until(lambda: at(*bed.cluster.hosts) == connections, "connections are not placed")
    _drain(bed, bed.second, bed.first, at(bed.second))
    bed.wait_until(lambda: at(bed.first) == connections, "connections are not gathered")


def _drain(bed, source, target, expected):
    """The seconds that it took, of the source's clock."""
    def ask(method, body=None):
        return bed.cluster.ask(method, "/v1/drain", body, node=source)[1]

    report = ask("POST", {"to": [target], "timeout": "60s"})
    while report.get("drain") == "running":
        time.sleep(LOOK_EVERY_S)
        report = ask("GET")
    ask("POST", {"stop": True})
    bed.wait_until(lambda: not any(peer["draining"] for host in bed.cluster.hosts
                                   for peer in bed.status(host)["peers"]),
                   "nobody has heard that the drain is over")
    if report.get("drain") != "done" or report["moved"] != expected:
        raise Failure(f"not all of {expected} connections have moved: {report}")
    return report["took_us"] / 1e6


GROUPS = [
    (("move-idle", "move-idle-blob", "move-64k", "move-64k-blob"), in_process),
    (("gap", "gap-at-once", "stalls", "stalls-at-once", "stalls-20ms"), seen_by_a_client),
    (("batch", "batch-memory"), batch),
]
