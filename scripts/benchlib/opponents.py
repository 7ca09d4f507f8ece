"""The opponents of the table `engine`: programs in the lab's namespaces, each used as a context.

Their configurations are in bench/opponents/. A program that the machine lacks is a Failure of the
rows that need it; scripts/bootstrap --opponents installs them."""
import contextlib
import os
import re
import shutil
import socket
import subprocess
import time

from demolib.cluster import ROOT, Failure
from lablib import kernel

from .bed import only_on, program

DIRECT, BY_PATH, RELAYED = 8080, 8081, 8082  # ports of nginx, of HAProxy's two modes
_FOLDER = os.path.join(ROOT, "bench", "opponents")
_PATIENCE_S = 10


def _installed(name):
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if found is None:
        raise Failure(f"{name} is missing; scripts/bootstrap --opponents installs it")
    return found


@contextlib.contextmanager
def _running(command, processor=None, **options):
    """With the priority and in a session of its own, both as the lab has it for migd."""
    with only_on(processor):
        process = subprocess.Popen(command, start_new_session=True, preexec_fn=kernel.come_first,
                                   **options)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def link_address(bed, node):
    return bed.node(node)["address"][0]


@contextlib.contextmanager
def kernel_server(bed, node, processor=None):
    """echo, discard and source on the kernel's TCP at the node's own address, which it yields."""
    address = link_address(bed, node)
    command = bed.cluster.command(node, program("migd-bench-kernel-server"), address)
    with _running(command, processor, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout.readline() != "ready\n":
            raise Failure("the kernel's server has not started")
        yield address


@contextlib.contextmanager
def nginx(bed, node, processor=None):
    command = bed.cluster.command(node, _installed("nginx"), "-p", bed.cluster.folder, "-c",
                                  os.path.join(_FOLDER, "nginx.conf"))
    with _running(command, processor, stderr=subprocess.DEVNULL) as process:
        _wait_for_listener(bed, node, DIRECT, process)
        yield


@contextlib.contextmanager
def haproxy(bed, node, server, processor=None):
    """In front of nginx at the address `server`; yields its own."""
    command = bed.cluster.command(node, _installed("haproxy"), "-db", "-q", "-f",
                                  os.path.join(_FOLDER, "haproxy.cfg"))
    with _running(command, processor,
                  env=dict(os.environ, NGINX=f"{server}:{DIRECT}")) as process:
        for port in (BY_PATH, RELAYED):
            _wait_for_listener(bed, node, port, process)
        yield link_address(bed, node)


def _wait_for_listener(bed, node, port, process):
    """As the kernel of that namespace tells: a connection to ask would be one too many."""
    give_up = time.monotonic() + _PATIENCE_S
    while f":{port:04X} 00000000:0000 0A" not in _sockets(bed, node):
        if process.poll() is not None or time.monotonic() > give_up:
            raise Failure(f"nobody listens at port {port} of {node}")
        time.sleep(0.05)


def _sockets(bed, node):
    """A daemon's own view of /proc/net is that of its namespace."""
    with open(f"/proc/{bed.node(node)['pid']}/net/tcp", encoding="ascii") as file:
        return file.read()


@contextlib.contextmanager
def watched(bed, node):
    """The daemon's events; yields a function that waits for the first that matches."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE_S)
        connection.connect(bed.cluster.admin_sockets[node])
        connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: migd\r\n\r\n")
        seen = connection.recv(1 << 16).decode()

        def wait_for(pattern):
            nonlocal seen
            while not (found := re.search(pattern, seen)):
                seen += connection.recv(1 << 16).decode()
            return found

        yield wait_for


@contextlib.contextmanager
def kernel_forwarding(bed, forwarder, host, client_port, vip_port, flow):
    """The kernel of the forwarder's namespace encapsulates this flow, instead of migd."""
    def nft(*arguments):
        return subprocess.run(bed.cluster.command(forwarder, _installed("nft"), *arguments),
                              check=True, stdout=subprocess.PIPE, text=True).stdout

    given = {"CLIENT_PORT": client_port, "VIP_PORT": vip_port,
             "FROM": bed.node(forwarder)["tunnel_address"][0],
             "TO": bed.node(host)["tunnel_address"][0],
             "FLOW_HIGH": flow >> 16, "FLOW_LOW": flow & 0xFFFF}
    nft(*(f"-D{name}={value}" for name, value in given.items()), "-f",
        os.path.join(_FOLDER, "rewrite.nft"))
    try:
        yield
        counted = int(re.search(r"packets (\d+)", nft("list", "table", "ip", "rewrite"))[1])
        if counted == 0:
            raise Failure("the kernel has not forwarded anything")
    finally:
        nft("delete", "table", "ip", "rewrite")
