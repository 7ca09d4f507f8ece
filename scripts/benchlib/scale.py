"""The table `scale`: what a million connections cost, over what a thousand do.

Inside one process, and end to end, by clients that are made of crafted segments (bench/crowd/)."""
import contextlib
import json
import re
import statistics
import subprocess

from demolib.cluster import Failure

from .bed import Bed, awake, json_of, processors, program
from .rows import Row

FEW, MANY = 1_000, 1_000_000
QUICK_MANY = 2_000
AGAINST = f"among {FEW}"
CROWD = "10.77.128.0/18"


# ---- inside one process ----

def _among(kind, quick):
    """[[nanoseconds of a packet among few, among many], ...], bytes of one of the many."""
    many, packets, runs = (QUICK_MANY, 2_000, 2) if quick else (MANY, 200_000, 7)
    done = json_of([program("migd-bench-scale"), kind, *map(str, (FEW, many, packets, runs))])
    return done["few_many_ns"], done["bytes_each"], many


def packets(quick, say):
    times, each, many = _among("stack", quick)
    rows = [_ratio("packet-1m", "ns", times, 6,
                   f"request and echo; {many} connections of {each:.0f} bytes each")]
    times, each, many = _among("forwarder", quick)
    rows.append(_ratio("map-1m", "ns", times, 3, f"{many} flows"))
    rows.append(Row("map-1m-memory", "bytes of a flow", [each], target=128))
    return rows


def _ratio(name, unit, times, target, note):
    return Row(name, unit, [many for _, many in times], AGAINST, [few for few, _ in times],
               target=target, target_of="ratio", note=note)


# ---- end to end ----

class Crowd:
    """Clients of the echo service that are made of crafted segments; use as a context."""

    def __init__(self, bed, count):
        self.bed, self.count = bed, count
        subprocess.run(bed.cluster.command("router", "ip", "route", "add", CROWD, "via",
                                           "10.77.99.2"), check=True)
        self.process = subprocess.Popen(
            bed.cluster.command("client", program("migd-bench-crowd"), "eth0", bed.echo,
                                str(count)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            self.__exit__()
            raise Failure(f"{self.count} connections could not be opened")
        return self

    def __exit__(self, *_):
        self.process.communicate()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise Failure("the clients have ended")
        return json.loads(answer)

    def check(self):
        alive = self.ask("check")["alive"]
        if alive != self.count:
            raise Failure(f"of {self.count} connections {alive} echo")


def end_to_end(quick, say):
    """Two labs, in turns: a node that does everything, with few connections and with many."""
    many, runs, seconds = (QUICK_MANY, 2, 0.2) if quick else (MANY, 7, 3)
    one, other = processors()
    pings = {FEW: [], many: []}
    tail, delays = {FEW: [], many: []}, {FEW: [], many: []}
    with contextlib.ExitStack() as stack:
        crowds, resident = {}, {}
        for count in (FEW, many):
            bed = stack.enter_context(Bed(one, hosts=1, forwarders=0))
            before = bed.resident_kib(bed.first)
            crowds[count] = stack.enter_context(Crowd(bed, count))
            bed.wait_until(lambda: bed.status(bed.first)["connections"] == count,
                           "connections are not established")
            resident[count] = (bed.resident_kib(bed.first) - before) / count
            say(f"{count} connections, {resident[count]:.3g} KiB each")
        stack.enter_context(awake(one, other))
        for number in range(1, runs + 1):
            for count, crowd in crowds.items():
                before = _loop_delays(crowd.bed)
                answer = crowd.ask("ping", seconds)
                pings[count].append(answer["p50_us"])
                tail[count].append(answer["p99_us"])
                delays[count].append(_p99(before, _loop_delays(crowd.bed)) / 1000)
            say(f"run {number} of {runs}: {pings[FEW][-1]:.4g} and {pings[many][-1]:.4g} us, loop "
                f"{delays[FEW][-1]:.4g} and {delays[many][-1]:.4g} ms")
    return [
        Row("packet-1m-end", "us", pings[many], AGAINST, pings[FEW], target=1.2,
            target_of="ratio", note=f"64 bytes there and back; 99th percentiles "
            f"{statistics.median(tail[many]):.4g} and {statistics.median(tail[FEW]):.4g} us"),
        Row("loop", "ms", delays[many], AGAINST, delays[FEW], target=1,
            note=f"99th percentile of how late the node's timers are, {many} connections"),
        Row("memory-1m", "KiB for each connection", [resident[many]], target=1,
            note="resident memory of the daemon"),
    ]


_BUCKET = re.compile(r'^migd_loop_delay_microseconds_bucket\{le="(\d+)"\} (\d+)$', re.MULTILINE)


def _loop_delays(bed):
    """{most microseconds: how many were at most so late}, since the node started"""
    text = bed.cluster.ask_for_text("GET", "/v1/metrics", node=bed.first)[1]
    return {int(most): int(count) for most, count in _BUCKET.findall(text)}


def _p99(before, after):
    """Microseconds, of what was counted in between; within a bucket, as if evenly spread."""
    counts, last = {}, 0
    for most in sorted(after):
        last = max(last, before.get(most, last))
        counts[most] = after[most] - before.get(most, last)
    total = max(counts.values())
    below, least = 0, 0
    for most, count in counts.items():
        if count >= 0.99 * total:
            return least + (most - least) * (0.99 * total - below) / (count - below)
        below, least = count, most
    raise Failure("no delay was counted")


# ---- moved, all at once ----

def drained(quick, say):
    connections, runs = (500, 2) if quick else (100_000, 5)
    seconds, used = [], {"source": [], "target": [], "forwarder": []}
    with Bed() as bed:
        with Crowd(bed, connections) as crowd:
            bed.gather(connections)
            source, target = bed.first, bed.second
            for _ in range(runs):
                nodes = {"source": source, "target": target, "forwarder": bed.cluster.entry}
                before = {role: bed.processor_seconds(node) for role, node in nodes.items()}
                seconds.append(bed.drain(source, target, connections))
                for role, node in nodes.items():
                    used[role].append(bed.processor_seconds(node) - before[role])
                say(f"{connections} connections {source} -> {target}: {seconds[-1]:.2f} s")
                source, target = target, source
            crowd.check()
    spent = ", ".join(f"{role}'s {statistics.median(of_role):.2f} s"
                      for role, of_role in used.items())
    return [Row("drain-100k", "s", seconds, target=5,
                note=f"{connections} connections, by one drain; processor time: {spent}")]


GROUPS = [(("packet-1m", "map-1m", "map-1m-memory"), packets),
          (("packet-1m-end", "loop", "memory-1m"), end_to_end),
          (("drain-100k",), drained)]
