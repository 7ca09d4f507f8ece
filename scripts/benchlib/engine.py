"""The table `engine`: migd as fast as the kernel, and as what it replaces.

A run of ours, then one of the opponent's in the same place, and so on. Throughput runs on any
processor, latency on two that are kept awake."""
import contextlib
import json
import statistics
import subprocess

from demolib.cluster import Failure

from . import opponents
from .bed import Bed, IdleClients, awake, json_of, processors, program
from .opponents import BY_PATH, DIRECT, RELAYED
from .rows import Row

DISCARD, SOURCE, ECHO = 9, 19, 7
KERNEL = "the kernel's TCP in the same place"
HAPROXY_TCP = "HAProxy in TCP mode in front of nginx"
HAPROXY_HTTP = "HAProxy in HTTP mode with a path rule in front of nginx"
NFT = "the kernel of the same node, by a stateless rewrite of nftables"
AS_SILENT = "warn"  # as HAProxy and nginx are, which log no connection and no request here
SMALL, LARGE = "/h1/1KiB.bin", "/h1/large.bin"


def _alone(**options):
    """One node that does everything."""
    return Bed(hosts=1, forwarders=0, **options)


def _client(bed, *arguments):
    return json_of(bed.cluster.command("client", program("migd-bench-client"),
                                       *map(str, arguments)), input="\n")


class _Runs:
    """The values of rows, ours and the opponent's, as their turns come."""

    def __init__(self, table):
        self.table = table  # row -> (unit, opponent, target)
        self.ours = {name: [] for name in table}
        self.theirs = {name: [] for name in table}

    def say(self, say, number, runs):
        say(f"run {number} of {runs}: " + ", ".join(
            f"{name} {statistics.median(self.ours[name]):.4g}/"
            f"{statistics.median(self.theirs[name]):.4g}" for name in self.table))

    def rows(self, at_least=True, notes=None):
        return [Row(name, unit, self.ours[name], opponent, self.theirs[name], target=target,
                    target_of="ratio", at_least=at_least, note=(notes or {}).get(name, ""))
                for name, (unit, opponent, target) in self.table.items()]


# ---- streams ----

STREAMS = {"in-1": ("Gbit/s", KERNEL, 0.9), "out-1": ("Gbit/s", KERNEL, 1.0),
           "in-4": ("Gbit/s", KERNEL, 0.35), "out-4": ("Gbit/s", KERNEL, 0.35)}


def streams(quick, say):
    runs, seconds = (2, 0.3) if quick else (11, 2)
    seen, two = _Runs(STREAMS), {name: [] for name in STREAMS if name.endswith("4")}
    with contextlib.ExitStack() as stack:
        bed, pair = stack.enter_context(_alone()), stack.enter_context(Bed(forwarders=0))
        kernel = stack.enter_context(opponents.kernel_server(bed, bed.first))
        for number in range(1, runs + 1):
            for name in STREAMS:
                kind = name.split("-")
                seen.ours[name].append(_stream(bed, bed.cluster.vip, *kind, seconds))
                seen.theirs[name].append(_stream(bed, kernel, *kind, seconds))
                if name in two:
                    two[name].append(_stream(pair, pair.cluster.vip, *kind, seconds))
            seen.say(say, number, runs)
    return seen.rows(notes={name: f"two nodes, the first of them the forwarder: {_spread(values)}"
                            for name, values in two.items()})


def _stream(bed, address, direction, count, seconds):
    port, does = (DISCARD, "send") if direction == "in" else (SOURCE, "receive")
    process = _start_stream(bed, f"{address}:{port}", does, count, seconds)
    return _rate(process)


def _start_stream(bed, server, does, count, seconds):
    """Connected, and its first line is to be read; a line lets it begin."""
    return subprocess.Popen(
        bed.cluster.command("client", program("migd-bench-client"), "stream", server, does,
                            str(count), str(seconds)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _rate(process):
    lines = process.communicate("\n")[0].splitlines()
    if process.returncode != 0:
        raise Failure("the stream has broken off")
    result = json.loads(lines[-1])
    return result["bytes"] * 8e-9 / result["seconds"]


def _spread(values):
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


# ---- through a forwarder, to another node ----

HANDED_OVER = {"handoff-download": ("Gbit/s", HAPROXY_TCP, 1.5)}
EACH_HANDED_OVER = {"http-new-handoff": ("requests/s", HAPROXY_HTTP, 0.6)}


def handed_over(quick, say):
    runs, size = (2, 1 << 26) if quick else (7, 1 << 30)
    seen = _Runs(HANDED_OVER)
    with _two_nodes() as (bed, ours, proxy):
        with open(f"{bed.cluster.folder}/www{LARGE}", "wb") as file:
            for _ in range(size >> 20):
                file.write(bytes(1 << 20))
        for number in range(1, runs + 1):
            for server, values in ((ours, seen.ours), (f"{proxy}:{RELAYED}", seen.theirs)):
                values["handoff-download"].append(_download(bed, server))
            seen.say(say, number, runs)
    return seen.rows()


def each_handed_over(quick, say):
    """One node for each processor, ours and theirs; the client has what they leave."""
    runs, seconds = (2, 0.5) if quick else (7, 2)
    seen = _Runs(EACH_HANDED_OVER)
    with _two_nodes(*processors()) as (bed, ours, proxy):
        for number in range(1, runs + 1):
            for server, values in ((ours, seen.ours), (f"{proxy}:{BY_PATH}", seen.theirs)):
                values["http-new-handoff"].append(_requests(bed, server, seconds, "new"))
            seen.say(say, number, runs)
    return seen.rows()


@contextlib.contextmanager
def _two_nodes(of_first=None, of_second=None):
    """A forwarder, where HAProxy runs too, and a host, where nginx does; the processor of each.
    Yields (the bed, our server, HAProxy's address)."""
    with contextlib.ExitStack() as stack:
        bed = stack.enter_context(Bed(hosts=1, log_level=AS_SILENT))
        for node, processor in ((bed.cluster.entry, of_first), (bed.first, of_second)):
            if processor is not None:
                bed.pin(node, processor)
        stack.enter_context(opponents.nginx(bed, bed.first, of_second))
        proxy = stack.enter_context(opponents.haproxy(
            bed, bed.cluster.entry, opponents.link_address(bed, bed.first), of_first))
        yield bed, f"{bed.cluster.vip}:{bed.cluster.port}", proxy


def _download(bed, server):
    result = _client(bed, "download", server, LARGE)
    return result["bytes"] * 8e-9 / result["seconds"]


FORWARD = {"forward": ("Gbit/s", NFT, 0.8)}


def forward(quick, say):
    """One stream to a host's discard. Of both runs all is the same but who encapsulates."""
    runs, seconds = (2, 0.3) if quick else (7, 2)
    seen = _Runs(FORWARD)
    with Bed(hosts=1) as bed:
        for number in range(1, runs + 1):
            seen.ours["forward"].append(_forwarded(bed, seconds, by_kernel=False))
            seen.theirs["forward"].append(_forwarded(bed, seconds, by_kernel=True))
            seen.say(say, number, runs)
    return seen.rows()


def _forwarded(bed, seconds, by_kernel):
    with opponents.watched(bed, bed.cluster.entry) as wait_for:
        process = _start_stream(bed, f"{bed.cluster.vip}:{DISCARD}", "send", 1, seconds)
        own = process.stdout.readline().strip()
        flow = int(wait_for(rf"mapping_installed[^\n]*{own}[^\n]*flow\W+(\d+)")[1])
        wait_for(r"migration_finished[^\n]*completed")
        with (opponents.kernel_forwarding(bed, bed.cluster.entry, bed.first,
                                          own.rpartition(":")[2], DISCARD, flow)
              if by_kernel else contextlib.nullcontext()):
            return _rate(process)


# ---- HTTP on one node ----

HTTP = {"http-keepalive": ("requests/s", HAPROXY_HTTP, 1.2),
        "http-new": ("requests/s", HAPROXY_HTTP, 1.0)}
CONNECTIONS = 32


def http(quick, say):
    runs, seconds = (2, 0.5) if quick else (7, 2)
    seen = _Runs(HTTP)
    with contextlib.ExitStack() as stack:
        bed = stack.enter_context(_alone(log_level=AS_SILENT))
        stack.enter_context(opponents.nginx(bed, bed.first))
        proxy = stack.enter_context(opponents.haproxy(bed, bed.first, "127.0.0.1"))
        for number in range(1, runs + 1):
            for name, kind in (("http-keepalive", "keep"), ("http-new", "new")):
                for server, values in ((f"{bed.cluster.vip}:{bed.cluster.port}", seen.ours),
                                       (f"{proxy}:{BY_PATH}", seen.theirs)):
                    values[name].append(_requests(bed, server, seconds, kind))
            seen.say(say, number, runs)
    return seen.rows()


def _requests(bed, server, seconds, kind):
    return _client(bed, "http", server, SMALL, CONNECTIONS, seconds, kind)["per_second"]


# ---- latency ----

PING_PONG = {"pingpong": ("us", KERNEL, 1.3), "pingpong-p99": ("us", KERNEL, 1.3)}


def ping_pong(quick, say):
    """The server's processor has also what the kernel does for the packets on their way to it."""
    runs, seconds = (2, 0.2) if quick else (10, 2)
    one, other = processors()
    seen = _Runs(PING_PONG)
    with contextlib.ExitStack() as stack:
        stack.enter_context(awake(one, other))
        bed = stack.enter_context(Bed(one, hosts=1, forwarders=0))
        kernel = stack.enter_context(opponents.kernel_server(bed, bed.first, one))
        for number in range(1, runs + 1):
            for server, values in ((bed.cluster.vip, seen.ours), (kernel, seen.theirs)):
                trips = bed.ping_pong(f"{server}:{ECHO}", seconds, processor=other)
                values["pingpong"].append(trips["rtt_p50_us"])
                values["pingpong-p99"].append(trips["rtt_p99_us"])
            seen.say(say, number, runs)
    return seen.rows(at_least=False)


# ---- memory ----

def memory(quick, say):
    """Of a new daemon each time."""
    connections, runs = (200, 2) if quick else (10_000, 5)
    values = []
    for _ in range(runs):
        with _alone() as bed:
            before = bed.resident_kib(bed.first)
            with IdleClients(bed, connections):
                bed.wait_until(lambda: bed.status(bed.first)["connections"] == connections,
                               "connections are not established")
                values.append((bed.resident_kib(bed.first) - before) / connections)
        say(f"memory {values[-1]:.3g} KiB")
    return [Row("memory", "KiB for each connection", values, target=1.0,
                note=f"{connections} connections; resident memory of the daemon over that without")]


GROUPS = [(tuple(STREAMS), streams), (tuple(HANDED_OVER), handed_over),
          (tuple(EACH_HANDED_OVER), each_handed_over), (tuple(FORWARD), forward),
          (tuple(HTTP), http), (tuple(PING_PONG), ping_pong), (("memory",), memory)]
