"""A client, with the kernel's TCP, that brings its connection into a TCP state of the server's and
leaves it there until it is told to go on. A socket filter keeps what would end the state from the
kernel: it was never received, and the kernel says so.
"""
import ctypes
import json
import select
import socket
import struct
import sys

_SYN, _FIN = 0x02, 0x01
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_SMALL, _LARGE = "1KiB.bin", "1MiB.bin"
_TIMEOUT_S = 60


def main(host, address, port, state):
    """Says one line of JSON when the state is reached, and one when all is over. A line, or the end,
    of standard input lets it go on."""
    client = _Client(host, address, port)
    client.reach(state)
    print(json.dumps({"state": state, "port": client.socket.getsockname()[1]}), flush=True)
    with client.deaf_to_what_would_end(state):
        sys.stdin.readline()
    print(json.dumps({"received": client.finish(), "ok": client.got_all()}), flush=True)
    return 0 if client.got_all() else 1
