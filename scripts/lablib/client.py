#!/usr/bin/python3
"""client.py ADDRESS PORT HOST STATE: brings the server's end of a connection into a TCP state, and
leaves it there until standard input has a line, or ends.

The kernel's TCP is the client. What would end the state a socket filter keeps from it, as if it had
been lost on the way: so the server repeats it, and goes on as soon as the filter is gone.
"""
import contextlib
import ctypes
import errno
import select
import socket
import struct
import sys
import time

STATES = ("SYN_RCVD", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSING",
          "LAST_ACK", "TIME_WAIT")
_LOSES_FIN = ("FIN_WAIT_1", "CLOSING", "LAST_ACK")
_CLIENT_IS_DONE = ("CLOSE_WAIT", "CLOSING", "LAST_ACK")
_FIN, _SYN = 0x01, 0x02
_FLAGS_OFFSET = 13  # in the TCP header, where a socket's filter begins to read
_SO_ATTACH_FILTER, _SO_DETACH_FILTER, _SO_MEMINFO = 26, 27, 55  # Python has no names for them
_MEMINFO_DROPS = 8  # the ninth of nine numbers
_TIMEOUT_S = 60
_SMALL, _LARGE = 1 << 10, 1 << 20
_RAMP = bytes(range(251))


def main(address, port, host, state):
    client = _connect_deaf_to(_SYN if state == "SYN_RCVD" else 0, address, int(port))
    client.settimeout(_TIMEOUT_S)
    left = _reach(client, host, state)
    local = client.getsockname()
    print(f"{state} {local[0]} {local[1]}", flush=True)
    sys.stdin.readline()
    _hear_all(client)
    if state == "SYN_RCVD":
        select.select([], [client], [], _TIMEOUT_S)
    if state in ("SYN_RCVD", "ESTABLISHED"):
        _request(client, host, _SMALL, last=True)
        left = _SMALL
    good = left is None or _is_response(_read_to_end(client), left)
    client.close()
    print("done" if good else "not what was asked for", flush=True)
    return 0 if good else 1


def _reach(client, host, state):
    """How large the file is that is still to be read, to the connection's end; None: none is."""
    size = _LARGE if state == "CLOSE_WAIT" else _SMALL
    if state == "SYN_RCVD":
        _wait_for_loss(client)
        return None
    if state in _LOSES_FIN:
        _lose(client, _FIN)
    # For LAST_ACK one segment says all: the server must know that we are done before it is.
    _request(client, host, size, last=state != "ESTABLISHED", more=state == "LAST_ACK")
    if state == "ESTABLISHED":
        _read_response(client, size)
        return None
    if state == "CLOSING":
        _wait_for_loss(client)  # the server has closed, and does not know that we do
    if state in _CLIENT_IS_DONE:
        client.shutdown(socket.SHUT_WR)
    if state in _LOSES_FIN:
        _wait_for_loss(client)
    if state in _LOSES_FIN + ("CLOSE_WAIT",):
        return size
    if not _is_response(_read_to_end(client), size):
        raise ValueError("not the file")
    if state == "TIME_WAIT":
        client.shutdown(socket.SHUT_WR)
    return None


def _connect_deaf_to(flags, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)  # a large file does not fit
    if not flags:
        made.connect((address, port))
        return made
    _lose(made, flags)
    made.setblocking(False)
    if made.connect_ex((address, port)) != errno.EINPROGRESS:
        raise OSError("no connection has begun")
    return made


def _lose(client, flags):
    """Segments with any of `flags` do not reach the socket."""
    program = [(0x30, 0, 0, _FLAGS_OFFSET),   # load the byte
               (0x45, 0, 1, flags),           # any of them set?
               (0x06, 0, 0, 0),               # nothing of it
               (0x06, 0, 0, 0xFFFFFFFF)]      # all of it
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    held = ctypes.create_string_buffer(code)
    header = struct.pack("@HP", len(program), ctypes.addressof(held))
    client.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)


def _wait_for_loss(client):
    """Until the filter has kept a segment from the socket."""
    give_up = time.monotonic() + _TIMEOUT_S
    while not _losses(client):
        if time.monotonic() > give_up:
            raise TimeoutError("the server has said nothing")
        time.sleep(0.005)


def _losses(client):
    info = client.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_MEMINFO_DROPS + 1))
    return struct.unpack(f"={_MEMINFO_DROPS + 1}I", info)[_MEMINFO_DROPS]


def _hear_all(client):
    with contextlib.suppress(FileNotFoundError):  # there was no filter
        client.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _request(client, host, size, last, more=False):
    """`more`: it waits for what follows, data or the end."""
    name = {_SMALL: "1KiB.bin", _LARGE: "1MiB.bin"}[size]
    close = "Connection: close\r\n" if last else ""
    request = f"GET /{host}/{name} HTTP/1.1\r\nHost: lab\r\n{close}\r\n"
    client.sendall(request.encode(), socket.MSG_MORE if more else 0)


def _read_to_end(client):
    return b"".join(iter(lambda: client.recv(1 << 16), b""))


def _read_response(client, size):
    got = b""
    while not _is_response(got, size):
        part = client.recv(1 << 16)
        if not part:
            raise EOFError("the server has ended the connection")
        got += part


def _is_response(text, size):
    head, _, body = text.partition(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 200 ") and body == (_RAMP * (size // 251 + 1))[:size]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
