"""A client and a server with a wire between them that delays, loses and reorders: three namespaces
that end with their bed. On the server migd and, as its opponent, the kernel's TCP."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

from demolib.cluster import BINARY, Failure

from .bed import program

KERNEL = "10.77.71.1"
MIGD = "10.77.100.1"
SOURCE_PORT, DISCARD_PORT = 19, 9
_STREAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stream.py")

# Each packet is one segment on the wire: a loss is the loss of one. Nothing is remembered of the
# connections of before.
_SETUP = """
set -e
mount -t tmpfs none /run
mkdir -p /run/netns
for name in client wire server; do
  ip netns add $name
  ip -n $name link set lo up
done
for end in client:left:2 server:right:1; do
  IFS=: read name side number <<< $end
  ip link add eth0 netns $name type veth peer name $side netns wire
  ip -n $name addr add 10.77.71.$number/24 dev eth0
  ip -n $name link set eth0 up
  ip -n wire link set $side up
  for at in "$name eth0" "wire $side"; do
    set -- $at
    ip netns exec $1 ethtool -K $2 tso off gso off gro off tx off rx off > /dev/null
  done
  ip netns exec $name sysctl -qw net.ipv4.tcp_no_metrics_save=1 \\
    net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
done
ip -n client route add 10.77.100.1/32 via 10.77.71.1
ip netns add strangers
ip link add eth0 netns strangers type veth peer name eth1 netns server
ip -n strangers addr add 10.77.72.2/24 dev eth0
ip -n server addr add 10.77.72.1/24 dev eth1
ip -n strangers link set eth0 up
ip -n server link set eth1 up
ip -n strangers route add default via 10.77.72.1
ip -n server route add 10.77.128.0/17 via 10.77.72.2
DEVICE
ip -n server link set migd0 mtu 1500 up
ip -n server route add 10.77.100.1/32 dev migd0
echo ready
read -r _
"""
_TUN = """ip -n server tuntap add dev migd0 mode tun vnet_hdr multi_queue
ip -n server link set migd0 txqueuelen 10000"""
_PACKET = """ip -n server link add migd0 type veth peer name migd0p
for one in migd0 migd0p; do ip -n server link set $one mtu 1500 arp off multicast off up; done"""

_CONFIG = """
config_version = 1
[node]
name = "a"
id = 1
roles = ["forwarder", "classifier", "host"]
[link]
kind = "{kind}"
name = "migd0"
{device}
mtu = 1500
[admin]
socket = "{folder}/migd.sock"
[tunnel]
address = ["10.77.200.1"]
[tcp]
{tcp}
""" + "".join(f"""
[[service]]
name = "{name}"
vip = ["{MIGD}:{port}"]
classify = {{{{ protocol = "none" }}}}
application = "{name}"
default = "node:a"
[[application]]
name = "{name}"
kind = "{name}"
""" for name, port in (("source", SOURCE_PORT), ("discard", DISCARD_PORT)))


_BRIDGE = """ip link add name bridge type bridge &&
for side in left right; do ip link set $side master bridge; done && ip link set bridge up"""


class Wired:
    """Use as a context. `tcp`: lines of migd's [tcp] table. `bridged`: the wire is a bridge of the
    kernel, without delay or faults."""

    def __init__(self, tcp="", bridged=False):
        self.tcp = tcp
        self.bridged = bridged

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.folder = tempfile.mkdtemp(prefix="migd-bench-")
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._hold(stack)
            if self.bridged:
                subprocess.run(self._command("wire", "bash", "-c", _BRIDGE), check=True)
            self._start(stack, "server", "/usr/bin/python3", "-B", _STREAM, "serve", KERNEL,
                        str(SOURCE_PORT), str(DISCARD_PORT), ready="ready")
            self._start(stack, "server", BINARY, "run", "-c", self._config(), "--ready-fd", "1",
                        ready="", stderr=open(f"{self.folder}/log", "w", encoding="utf-8"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _hold(self, stack):
        user = os.geteuid() != 0
        self.tun = not user and os.access("/dev/net/tun", os.R_OK | os.W_OK)
        script = _SETUP.replace("DEVICE", _TUN if self.tun else _PACKET)
        holder = subprocess.Popen(
            ["unshare", *(["-Ur"] if user else []), "-nm", "--propagation", "private", "bash", "-c",
             script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"))
        stack.callback(_end, holder)
        self._enter = ["nsenter", "-t", str(holder.pid),
                       *(["-U", "--preserve-credentials"] if user else []), "-n", "-m"]
        if holder.stdout.readline() != "ready\n":
            raise Failure("the namespaces of the wire could not be made")

    def _config(self):
        path = f"{self.folder}/migd.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(_CONFIG.format(kind="tun" if self.tun else "packet", folder=self.folder,
                                      device="" if self.tun else 'device = "migd0p"',
                                      tcp=self.tcp))
        return path

    def _command(self, namespace, *command):
        return [*self._enter, "ip", "netns", "exec", namespace, *command]

    def _start(self, stack, namespace, *command, ready, **options):
        process = subprocess.Popen(self._command(namespace, *command), stdout=subprocess.PIPE,
                                   text=True, **options)
        stack.callback(_end, process)
        line = process.stdout.readline()
        if not line.startswith(ready) or not line:
            raise Failure(f"{os.path.basename(command[0])} has not started")
        return process

    def run(self, server, direction, seconds, faults, seed):
        """Mbit/s of one stream, and what the wire has done. `faults`: delay_us, lost_in, lost_out,
        late_in, late_out, late_us, as bench/wire/ has them."""
        port = SOURCE_PORT if direction == "out" else DISCARD_PORT
        with contextlib.ExitStack() as stack:
            wire = self._start(stack, "wire", program("migd-bench-wire"), "left", "right",
                               *map(str, faults), str(seed), ready="ready")
            done = subprocess.run(
                self._command("client", "/usr/bin/python3", "-B", _STREAM,
                              "receive" if direction == "out" else "send", server, str(port),
                              str(seconds)), stdout=subprocess.PIPE, text=True, check=True)
            wire.send_signal(signal.SIGTERM)
            seen = json.loads(wire.communicate(timeout=20)[0])
        if seen["in"]["dropped"] + seen["out"]["dropped"] > 0:
            raise Failure("the kernel has dropped packets on the wire")
        return _rate(done.stdout), seen[direction]

    def run_in_flood(self, server, direction, seconds, flooded):
        """Mbit/s of one stream over a bridge, and what the strangers have sent meanwhile; nothing
        when not `flooded`."""
        port = SOURCE_PORT if direction == "out" else DISCARD_PORT
        with contextlib.ExitStack() as stack:
            stream = subprocess.Popen(
                self._command("client", "/usr/bin/python3", "-B", _STREAM,
                              "receive" if direction == "out" else "send", server, str(port),
                              str(seconds)), stdout=subprocess.PIPE, text=True)
            stack.callback(_end, stream)
            sent = {}
            if flooded:
                flood = subprocess.run(
                    self._command("strangers", program("migd-bench-flood"), f"{server}:{port}",
                                  str(seconds)), stdout=subprocess.PIPE, text=True, check=True)
                sent = json.loads(flood.stdout)
            output = stream.communicate(timeout=seconds + 60)[0]
            if stream.returncode != 0:
                raise Failure("the stream has broken off")
        return _rate(output), sent


def _rate(output):
    result = json.loads(output)
    return result["bytes"] * 8e-6 / result["seconds"]


def _end(process):
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    process.wait(timeout=20)
