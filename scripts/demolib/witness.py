"""scripts/witness: one connection that moves all the time it is used, beside one that stays."""
import argparse
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from . import evidence
from .cluster import BINARY, ROOT, Capture, Cluster, Failure
from .transfer import Transfer, connection_of, make_file, sha256_of

DESCRIPTION = """\
Downloads and uploads with a real curl while the connection moves from node to node all the time,
and the same without a move beside it. The client's own capture says what the client could notice:
on a path without faults nothing that the control does not show, on one with faults no reset, and
bytes that are the same. Needs no root.
"""

# Situation: moves a second, the MTU of the nodes' devices, the wire's (delay us, lost in 10 000
# each way), and how large the file is when it does not depend on the machine.
SITUATIONS = {
    "full-speed": {"rate": 100},
    "other-mtu": {"rate": 100, "mtus": ("h2=1400",)},
    "lossy": {"rate": 20, "wire": (10_000, 100), "size": 24 << 20},
}
FIRST_PORT = 41000
SIZE_MAX = 6 << 30
SLOWER_BY = 0.5  # what moving a hundred times a second may cost of the speed


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/witness", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("situations", nargs="*", metavar="SITUATION", choices=[*SITUATIONS, []],
                        help=f"which (default: all): {', '.join(SITUATIONS)}")
    parser.add_argument("--seconds", type=float, default=10, help="of each transfer (default: 10)")
    parser.add_argument("--json", action="store_true", help="one line of JSON on standard output")
    options = parser.parse_args(arguments)

    def say(text):
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    try:
        if "MIGD_BINARY" not in os.environ:
            subprocess.run([os.path.join(ROOT, "scripts/bootstrap")], check=True,
                           stdout=sys.stderr)
        rows = [row for name in options.situations or SITUATIONS
                for row in Situation(name, options.seconds, say).run()]
    except (Failure, OSError, subprocess.CalledProcessError) as error:
        print(f"witness: {error}", file=sys.stderr)
        return 1
    wrong = [f"{row['row']}: {text}" for row in rows for text in row["wrong"]]
    for text in wrong:
        print(f"witness: does not hold: {text}", file=sys.stderr)
    if options.json:
        print(json.dumps(rows))
    return 1 if wrong else 0


class Situation:
    def __init__(self, name, seconds, say):
        self.name, self.seconds, self.say = name, seconds, say
        self.rate = SITUATIONS[name]["rate"]
        self.mtus = SITUATIONS[name].get("mtus", ())
        self.wire = SITUATIONS[name].get("wire")
        self.size = SITUATIONS[name].get("size")
        self.ports = itertools.count(FIRST_PORT)  # none twice: the client's is in TIME_WAIT yet

    def run(self):
        large = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix="migd-witness-", dir=large) as self.scratch:
            serve = os.path.join(self.scratch, "www")
            os.makedirs(os.path.join(serve, "h1"))
            self.file = os.path.join(serve, "h1", "file.bin")
            self.cluster = Cluster(f"witness-{os.getpid()}", 3, serve, mtus=self.mtus)
            try:
                self.url = f"http://{self.cluster.vip}:{self.cluster.port}"
                with Wire(self.cluster, *self.wire) if self.wire else contextlib.nullcontext():
                    return [self.row(direction) for direction in ("download", "upload")]
            finally:
                self.cluster.down()
                shutil.rmtree(self.cluster.folder, ignore_errors=True)

    def row(self, direction):
        self.make_file(direction)
        path = os.path.join(self.scratch, f"{direction}.pcap")
        with Capture(self.cluster, path) as capture:
            control = self.transfer(direction, moving=False)
            moved = self.transfer(direction, moving=True)
        vip = {(socket.inet_aton(self.cluster.vip), self.cluster.port)}
        seen = evidence.read(path, vip)
        row = {"row": f"{self.name}-{direction}", "moves": moved["moves"],
               "moves_per_s": round(moved["moves"] / moved["seconds"], 1),
               "not_moved": moved["refused"],
               "sha256_ok": control["ok"] and moved["ok"],
               "speed_ratio": round(moved["speed"] / control["speed"], 3),
               "capture_drops": capture.drops, "moved": seen[moved["port"]].counts,
               "control": seen[control["port"]].counts}
        row["wrong"] = self.judge(row)
        os.unlink(path)
        self.say(f"{row['row']}: {row['moves']} moves, {row['moves_per_s']} a second, at "
                 f"{row['speed_ratio']} of the control's speed; sha256 "
                 f"{'equal' if row['sha256_ok'] else 'WRONG'}")
        for name in evidence.COUNTS:
            self.say(f"  {name:28} {row['moved'][name]:8} {row['control'][name]:8}")
        return row

    def judge(self, row):
        moved, control = row["moved"], row["control"]
        wrong = [] if row["sha256_ok"] else ["the bytes are not the same"]
        if moved["client_rst"] or moved["client_syn"] > (3 if self.wire else 1):
            wrong.append(f"{moved['client_rst']} RSTs, {moved['client_syn']} SYNs")
        if row["moves_per_s"] < self.rate * 0.5:
            wrong.append(f"only {row['moves_per_s']} moves a second")
        if row["speed_ratio"] < SLOWER_BY:
            wrong.append(f"{row['speed_ratio']} of the control's speed")
        if not self.wire:
            wrong += [f"{name}: {moved[name]}, in the control {control[name]}"
                      for name in evidence.COUNTS[2:] if moved[name] > control[name]]
        if row["capture_drops"]:
            wrong.append(f"the capture missed {row['capture_drops']} packets")
        return wrong

    def make_file(self, direction):
        size = self.size
        if size is None:
            make_file(self.file, 256 << 20)
            _, seconds, down, up = self.curl(direction, next(self.ports), subprocess.DEVNULL).wait()
            size = min(SIZE_MAX, int((down + up) / seconds * self.seconds) >> 20 << 20)
        make_file(self.file, max(size, 1 << 20))
        self.expected = sha256_of(self.file)

    def curl(self, direction, port, output=subprocess.PIPE):
        if direction == "download":
            return Transfer(self.cluster, port, f"{self.url}/h1/file.bin", output=output)
        return Transfer(self.cluster, port, "-T", self.file, f"{self.url}/upload")

    def transfer(self, direction, moving):
        port = next(self.ports)
        with contextlib.ExitStack() as stack:
            output, digest = subprocess.PIPE, None
            if direction == "download":
                digest = stack.enter_context(Digest())
                output = digest.input
            transfer = self.curl(direction, port, output)
            moves, refused = self.keep_moving(transfer) if moving else (0, 0)
            answer, seconds, down, up = transfer.wait()
            told = digest.value() if digest else answer.decode().split()[0]
        return {"port": port, "ok": told == self.expected, "moves": moves, "refused": refused,
                "seconds": seconds, "speed": (down + up) / seconds}

    def keep_moving(self, transfer):
        connection, owner = connection_of(self.cluster, transfer.port)
        moves = refused = 0
        while transfer.running():
            began = time.monotonic()
            hosts = self.cluster.hosts
            target = hosts[(hosts.index(owner) + 1) % len(hosts)]
            status, _ = self.cluster.ask("POST", "/v1/migrate",
                                         {"id": connection, "to": target, "wait": True})
            if status == 200:
                moves, owner = moves + 1, target
            elif transfer.running():
                refused += 1
            time.sleep(max(0.0, 1 / self.rate - (time.monotonic() - began)))
        return moves, refused


class Digest:
    """What is written to `input` goes to sha256sum."""

    def __enter__(self):
        self.process = subprocess.Popen(["sha256sum"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.input = self.process.stdin
        return self

    def value(self):
        return self.process.communicate()[0].split()[0].decode()

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Wire:
    """Between the client and its link: the client's address moves behind migd-bench-wire."""

    SETUP = """set -e
ip link add wire0 type veth peer name wire1
ip addr flush dev eth0
sysctl -qw net.ipv4.conf.eth0.arp_ignore=8 net.ipv4.conf.wire1.arp_ignore=8
for at in eth0 wire0 wire1; do
  ethtool -K $at tso off gso off gro off tx off rx off > /dev/null
done
ip link set wire0 mtu 1500 up
ip link set wire1 mtu 1500 up
ip addr add 10.77.99.2/24 dev wire0
ip route add default via 10.77.99.1
"""

    def __init__(self, cluster, delay_us, lost):
        self.cluster, self.delay_us, self.lost = cluster, delay_us, lost

    def __enter__(self):
        subprocess.run(self.cluster.command("client", "bash", "-c", self.SETUP), check=True)
        subprocess.run(self.cluster.command("router", "ethtool", "-K", "r-client", "tso", "off",
                                            "gso", "off", "tx", "off"), check=True,
                       stdout=subprocess.DEVNULL)
        program = os.path.join(os.path.dirname(BINARY), "migd-bench-wire")
        self.process = subprocess.Popen(
            self.cluster.command("client", program, "wire1", "eth0",
                                 *map(str, (self.delay_us, self.lost, self.lost, 0, 0, 0, 1))),
            stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline().startswith("ready"):
            raise Failure("the wire has not started")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()
