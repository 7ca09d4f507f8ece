"""A lab to measure in, its client, and the opponent."""
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time

from demolib.cluster import BINARY, Cluster, Failure

ECHO_PORT = 7
OPPONENT_VIP = "10.77.101.1"  # on the loopback of both hosts; the router's route says which
_CONTROL_PORT = 9000
_PATIENCE_S = 20
_LOOK_EVERY_S = 0.1  # at a drain, whose own clock counts
_numbers = itertools.count(1)


def program(name):
    return os.path.join(os.path.dirname(BINARY), name)


def processors():
    """(the one on which all that is measured runs, the one that drives it)"""
    usable = sorted(os.sched_getaffinity(0))
    return usable[-1], usable[0]


@contextlib.contextmanager
def only_on(processor):
    """What is started meanwhile runs there, and so does all that it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if processor is None else {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


_SPIN = """
import os
os.setsid()
os.nice(19)
try:
    with open("/proc/self/autogroup", "w") as file:  # or its session would count as much as any
        file.write("19")
except OSError:
    pass
while os.getppid() == PARENT:
    for _ in range(1000000):
        pass
"""


@contextlib.contextmanager
def awake(*wanted):
    """Keeps these processors from falling asleep, by the least of priorities: to wake one costs a
    virtual machine some 30 us, more than all that is measured, and not the same every time."""
    with contextlib.ExitStack() as stack:
        for processor in wanted:
            with only_on(processor):
                process = subprocess.Popen([sys.executable, "-c",
                                            _SPIN.replace("PARENT", str(os.getpid()))])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def json_of(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{os.path.basename(command[0])} ended with {done.returncode}")
    return json.loads(done.stdout)


class Bed:
    """A lab of two hosts or one, and a forwarder unless the first of them is it; use as a context.
    `processor`: where all of it runs, but for the second host if that has one of its own.
    `log_level`: of its daemons, if not the lab's own."""

    def __init__(self, processor=None, forwarders=1, of_second_host=None, hosts=2, log_level=None):
        self.processor = processor
        self.forwarders = forwarders
        self.hosts = hosts
        self.log_level = log_level
        self.of_hosts = [processor, processor if of_second_host is None else of_second_host]

    def __enter__(self):
        with only_on(self.processor):
            self.cluster = Cluster(f"bench-{os.getpid()}-{next(_numbers)}", self.hosts,
                                   forwarders=self.forwarders, log_level=self.log_level)
        self.first, self.second = self.cluster.hosts[0], self.cluster.hosts[-1]
        self.echo = f"{self.cluster.vip}:{ECHO_PORT}"
        try:
            self._wait_for_sessions()
            if self.processor is not None:
                self.pin(self.second, self.of_hosts[1])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.cluster.down()
        shutil.rmtree(self.cluster.folder, ignore_errors=True)

    def node(self, name):
        return next(n for n in self.cluster.status["nodes"] if n["name"] == name)

    def pin(self, node, processor):
        """Its daemon runs there from here on."""
        os.sched_setaffinity(self.node(node)["pid"], {processor})

    def status(self, node):
        return self.cluster.ask("GET", "/v1/status", node=node)[1]

    def wait_until(self, holds, what):
        give_up = time.monotonic() + _PATIENCE_S
        while not holds():
            if time.monotonic() > give_up:
                raise Failure(f"waited {_PATIENCE_S} s in vain: {what}")
            time.sleep(0.02)

    def _wait_for_sessions(self):
        names = [n["name"] for n in self.cluster.status["nodes"]]
        self.wait_until(lambda: all(p["up"] for n in names for p in self.status(n)["peers"]),
                        "the nodes do not see each other")

    def resident_kib(self, node):
        with open(f"/proc/{self.node(node)['pid']}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    def processor_seconds(self, node):
        """Used by its daemon so far."""
        with open(f"/proc/{self.node(node)['pid']}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # ---- drains ----

    def drain(self, source, target, expected):
        """The seconds that it took, of the source's clock."""
        def ask(method, body=None):
            return self.cluster.ask(method, "/v1/drain", body, node=source)[1]

        report = ask("POST", {"to": [target], "timeout": "120s"})
        while report.get("drain") == "running":
            time.sleep(_LOOK_EVERY_S)
            report = ask("GET")
        ask("POST", {"stop": True})
        self.wait_until(lambda: not any(peer["draining"] for host in self.cluster.hosts
                                        for peer in self.status(host)["peers"]),
                        "nobody has heard that the drain is over")
        if report.get("drain") != "done" or report["moved"] != expected:
            raise Failure(f"not all of {expected} connections have moved: {report}")
        return report["took_us"] / 1e6

    def gather(self, connections):
        """All of them at the first host."""
        def at(*hosts):
            return sum(self.status(host)["connections"] for host in hosts)

        self.wait_until(lambda: at(*self.cluster.hosts) == connections,
                        "connections are not placed")
        self.drain(self.second, self.first, at(self.second))
        self.wait_until(lambda: at(self.first) == connections, "connections are not gathered")

    # ---- the ping-pong client ----

    def ping_pong(self, server, seconds=0, moves=0, pause_us=0, movers=(), processor=None):
        """`processor`: the client's, if it has one of its own."""
        command = self.cluster.command(
            "client", program("migd-bench-client"), "ping-pong", server,
            str(self.processor if processor is None else processor), str(processors()[1]),
            f"{seconds:.3f}",
            *([str(moves), str(pause_us), *movers] if moves else []))
        result = json_of(command)
        if result["refused"]:
            raise Failure(f"{result['refused']} moves were refused: {result['refusal']}")
        return result

    def movers(self):
        return [f"{name}={self.cluster.admin_sockets[name]}" for name in self.cluster.hosts]

    # ---- the opponent ----

    def prepare_opponent(self):
        """RST is kept from the client, as CRIU does it, while nobody has the connection."""
        for host in self.cluster.hosts:
            for command in (["ip", "address", "add", f"{OPPONENT_VIP}/32", "dev", "lo"],
                            ["nft", "add table ip repair; add chain ip repair out "
                             "{ type filter hook output priority 0; }; add rule ip repair out "
                             f"ip saddr {OPPONENT_VIP} tcp flags & rst == rst drop"]):
                subprocess.run(self.cluster.command(host, *command), check=True,
                               stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def opponent(self, moment, first=0):
        """Its two processes, of which `first` accepts; yields (server, movers) for ping_pong()."""
        ends = [f"{self.node(host)['address'][0]}:{_CONTROL_PORT}" for host in self.cluster.hosts]
        server = f"{OPPONENT_VIP}:{ECHO_PORT}"
        with contextlib.ExitStack() as stack:
            for index, host in enumerate(self.cluster.hosts):
                command = self.cluster.command(
                    host, program("migd-bench-tcp-repair"), server, ends[index], ends[1 - index],
                    "/run/netns/router", moment, *(["listen"] if index == first else []))
                with only_on(self.of_hosts[index]):
                    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                stack.callback(_end, process)
                if process.stdout.readline() != "ready\n":
                    raise Failure(f"the opponent has not started on {host}")
            yield server, ends


class IdleClients:
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


def _end(process):
    process.terminate()
    process.communicate()
