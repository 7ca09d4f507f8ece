"""Two nodes and their clients in one network namespace, which is the caller's own: each node has a
device, and so has the test, which is every client at once. Nothing here outlives it."""
import os
import re
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))

import client_link  # noqa: E402
from client_link import CLIENT  # noqa: E402
from lablib import kernel, network  # noqa: E402
from wire import ramp  # noqa: E402

NODES = {"a": 1, "b": 2}  # a is the forwarder of all connections, and their first owner
VIP = {4: "10.77.100.1", 6: "fd77:0:0:100::1"}
CLIENTS = {4: "10.77.128.0/18", 6: "fd77:0:0:1::/64"}
SERVICES = {"echo": 7, "discard": 9, "source": 19, "files": 80, "flooded": 1007}
APPLICATIONS = {"flooded": "echo"}  # of services that have another name
SYN_BACKLOG = 512  # more than there are cases at a time
FILES = {"small": 100, "large": 200_000}
WINDOW, SEND_BUFFER = 128 << 10, 16 << 10
MIN_RTO_S = 1  # long beside what a busy machine takes
USER_TIMEOUT_S = 16  # and longer than any other case waits for an acknowledgment
READY_TIMEOUT_S = 20

_SETTINGS = {"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.rp_filter": 0,
             "net.ipv4.conf.default.rp_filter": 0, "net.ipv6.conf.all.forwarding": 1}


def _tunnel(number):
    return f"10.77.200.{number}", f"fd77:0:0:200::{number}"


def _command(*arguments, text=None):
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def chosen_link():
    """MIGD_TCP_LINK says it; else it is TUN, where this process may make such a device."""
    return os.environ.get("MIGD_TCP_LINK") or ("packet" if network.why_no_tun() else "tun")


def _build_network(link, client):
    lines = ["link set lo up"]
    for node, number in NODES.items():
        lines += client_link.commands(link, node)
        lines += [f"route add {tunnel} dev {node}" for tunnel in _tunnel(number)]
    lines += client.commands
    lines += [f"route add {VIP[family]} dev a" for family in VIP]
    lines += [f"route add {CLIENTS[family]} dev {CLIENT}" for family in CLIENTS]
    _command("ip", "-batch", "-", text="\n".join(lines) + "\n")


def _config(link, node, keys):
    number = NODES[node]
    parts = [f'config_version = 1\n[node]\nname = "{node}"\nid = {number}\n'
             'roles = ["forwarder", "classifier", "host"]\n'
             f'{client_link.config(link, node)}'
             f'[admin]\nsocket = "{node}.sock"\n'
             f'[tcp]\nmin_rto = "{MIN_RTO_S}s"\nwindow = "{WINDOW >> 10}KiB"\n'
             f'send_buffer = "{SEND_BUFFER >> 10}KiB"\nsyn_backlog = {SYN_BACKLOG}\n'
             f'user_timeout = "{USER_TIMEOUT_S}s"\n'
             f'[tunnel]\naddress = {list(_tunnel(number))}\n[channel]\nkey_file = "{node}.key"\n']
    parts += [f'[[peer]]\nname = "{peer}"\nid = {NODES[peer]}\n'
              'roles = ["forwarder", "classifier", "host"]\n'
              f'tunnel_address = {list(_tunnel(NODES[peer]))}\npublic_key = "{keys[peer]}"\n'
              for peer in NODES if peer != node]
    for name, port in SERVICES.items():
        parts += [f'[[service]]\nname = "{name}"\nvip = ["{VIP[4]}:{port}", "[{VIP[6]}]:{port}"]\n'
                  'classify = { on = "syn" }\n'
                  f'application = "{APPLICATIONS.get(name, name)}"\n'
                  f'default = "node:{node}"\n']  # what comes here unbound stays here
        if name not in APPLICATIONS:
            parts += [f'[[application]]\nname = "{name}"\nkind = "{name}"\n'
                      + ('root = "www"\n' if name == "files" else "")]
    return "\n".join(parts).replace("'", '"')


class Bed:
    def __init__(self, folder, binary):
        self.folder = folder
        self.link = chosen_link()
        self.client = client_link.CLIENTS[self.link]()
        for key, value in _SETTINGS.items():
            with open(f"/proc/sys/{key.replace('.', '/')}", "w", encoding="ascii") as file:
                file.write(str(value))
        _build_network(self.link, self.client)
        self.client.set_up()
        os.mkdir(os.path.join(folder, "www"))
        for name, size in FILES.items():
            self._make_file(name, size)
        keys = {node: _command(binary, "keygen", "--out", self._path(f"{node}.key")).strip()
                for node in NODES}
        self._processes = {}
        for node in NODES:
            with open(self._path(f"{node}.toml"), "w", encoding="utf-8") as file:
                file.write(_config(self.link, node, keys))
            with open(self._path(f"{node}.log"), "w", encoding="utf-8") as log:
                self._processes[node] = subprocess.Popen(
                    [binary, "run", "-c", self._path(f"{node}.toml")], stdout=log, stderr=log,
                    stdin=subprocess.DEVNULL, cwd=folder, preexec_fn=kernel.die_with_parent)
        self._wait_for_peers()

    def _path(self, name):
        return os.path.join(self.folder, name)

    def socket(self, node):
        return self._path(f"{node}.sock")

    def ended(self):
        """The nodes that have ended, with the tail of what they said."""
        return {node: self.log_tail(node) for node, process in self._processes.items()
                if process.poll() is not None}

    def log_tail(self, node):
        with open(self._path(f"{node}.log"), errors="replace", encoding="utf-8") as file:
            return "".join(file.readlines()[-20:])

    def _wait_for_peers(self):
        give_up = time.monotonic() + READY_TIMEOUT_S
        for node in NODES:
            while not re.search('"up":true', self._status(node)):
                if self.ended() or time.monotonic() > give_up:
                    raise RuntimeError("the nodes do not find each other\n" +
                                       "\n".join(self.log_tail(node) for node in NODES))
                time.sleep(0.02)

    def _status(self, node):
        with socket.socket(socket.AF_UNIX) as made:
            try:
                made.connect(self.socket(node))
            except OSError:
                return ""  # not yet
            made.sendall(b"GET /v1/status HTTP/1.1\r\nHost: migd\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: made.recv(65536), b"")).decode()

    def _make_file(self, name, size):
        with open(self._path(os.path.join("www", name)), "wb") as file:
            file.write(ramp(size))
