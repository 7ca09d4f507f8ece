"""Clients on the kernel's TCP, run in the lab's client namespace; each prints one line of JSON.

  kernel_client.py echo   ADDRESS PORT LOCAL_PORT ROUNDS PAUSE_MS   ping-pong of ramp pieces: at
                                                  least so many, and until standard input ends
  kernel_client.py bulk   ADDRESS PORT LOCAL_PORT BYTES             full-duplex ramp through echo
  kernel_client.py flow   ADDRESS PORT LOCAL_PORT BYTES PAUSE_MS    the same in small pieces
  kernel_client.py half   ADDRESS PORT LOCAL_PORT BYTES PAUSE_MS    sends all, FIN; reads slowly
  kernel_client.py source ADDRESS PORT LOCAL_PORT BYTES PAUSE_MS    reads the server's ramp
"""
import itertools
import json
import select
import socket
import struct
import sys
import time

RAMP = bytes(range(251))


def ramp(size, first=0):
    start = first % 251
    return (RAMP * (size // 251 + 2))[start:start + size]


def connect(kind, address, port, local_port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if kind == "half":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
    made.bind(("::" if ":" in address else "0.0.0.0", local_port))
    made.settimeout(30)
    made.connect((address, port))
    return made


def receive_exactly(connection, size):
    parts = []
    while size > 0:
        part = connection.recv(min(size, 1 << 16))
        if not part:
            raise EOFError(f"ended with {size} bytes missing")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def told_to_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def echo(connection, rounds, pause_ms):
    at, times = 0, []
    for number in itertools.takewhile(lambda n: n < rounds or not told_to_end(), itertools.count()):
        size = 1 + (number * 37) % 1200
        began = time.monotonic()
        connection.sendall(ramp(size, at))
        if receive_exactly(connection, size) != ramp(size, at):
            return {"ok": False, "round": number}
        times.append(time.monotonic() - began)
        at += size
        time.sleep(pause_ms / 1000)
    times.sort()
    return {"ok": True, "bytes": at, "p50_us": times[len(times) // 2] * 1e6,
            "max_us": times[-1] * 1e6}


def bulk(connection, total):
    sent = received = 0
    connection.setblocking(False)
    deadline = time.monotonic() + 50
    while received < total:
        if time.monotonic() > deadline:
            return {"ok": False, "sent": sent, "received": received, "why": "too slow"}
        readable, writable, _ = select.select([connection], [connection] if sent < total else [],
                                              [], 1)
        if readable:
            part = connection.recv(1 << 18)
            if not part:
                return {"ok": False, "received": received, "why": "closed"}
            if part != ramp(len(part), received):
                return {"ok": False, "received": received, "why": "wrong bytes"}
            received += len(part)
        if writable:
            sent += connection.send(ramp(min(1 << 16, total - sent), sent))
    return {"ok": True, "bytes": received}


def flow(connection, total, pause_ms):
    """Steadily, for as long as it takes; says how long the closed window has kept it waiting."""
    sent = received = 0
    connection.setblocking(False)
    while received < total:
        readable, writable, _ = select.select([connection], [connection] if sent < total else [],
                                              [], 1)
        if readable:
            part = connection.recv(1 << 18)
            if part != ramp(len(part), received) or not part:
                return {"ok": False, "received": received, "why": "closed or wrong bytes"}
            received += len(part)
        if writable:
            sent += connection.send(ramp(min(16 << 10, total - sent), sent))
            time.sleep(pause_ms / 1000)
    # struct tcp_info of linux/tcp.h: tcpi_rwnd_limited, in microseconds.
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    return {"ok": True, "bytes": received,
            "window_closed_s": struct.unpack_from("=Q", info, 176)[0] / 1e6}


def half(connection, total, pause_ms):
    connection.sendall(ramp(total))
    connection.shutdown(socket.SHUT_WR)
    received = 0
    while part := connection.recv(4096):
        if part != ramp(len(part), received):
            return {"ok": False, "received": received, "why": "wrong bytes"}
        received += len(part)
        time.sleep(pause_ms / 1000)
    return {"ok": received == total, "bytes": received}


def source(connection, total, pause_ms):
    received = 0
    while received < total:
        part = connection.recv(1 << 16)
        if part != ramp(len(part), received) or not part:
            return {"ok": False, "received": received, "why": "wrong bytes"}
        received += len(part)
        time.sleep(pause_ms / 1000)
    return {"ok": True, "bytes": received}


def main():
    kind, address, port, local_port, *numbers = sys.argv[1:]
    with connect(kind, address, int(port), int(local_port)) as connection:
        try:
            result = globals()[kind](connection, *map(int, numbers))
            # struct tcp_info of linux/tcp.h: tcpi_total_retrans
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
            result["retransmits"] = struct.unpack_from("=I", info, 100)[0]
        except (OSError, EOFError) as error:
            result = {"ok": False, "why": f"{type(error).__name__}: {error}"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
