"""One stream on the kernel's TCP with CUBIC; a program of its own, that is run inside a namespace.

  stream.py receive ADDRESS PORT SECONDS   reads; prints the bytes and the seconds
  stream.py send    ADDRESS PORT SECONDS   writes; prints how many were acknowledged
  stream.py serve   ADDRESS SOURCE_PORT DISCARD_PORT
                                           sends to whoever connects to the one, reads at the other
"""
import json
import select
import socket
import struct
import sys
import time

_CHUNK = bytes(1 << 16)
_BYTES_ACKED = 120  # of struct tcp_info


def connect(address, port):
    made = socket.socket()
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    made.settimeout(10)
    made.connect((address, port))
    made.setblocking(False)
    return made


def receive(connection, seconds):
    began, total = time.monotonic(), 0
    while (left := began + seconds - time.monotonic()) > 0:
        if select.select([connection], [], [], left)[0]:
            got = len(connection.recv(1 << 18))
            if got == 0:
                raise EOFError("the stream has ended")
            total += got
    return {"bytes": total, "seconds": time.monotonic() - began}


def send(connection, seconds):
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        if select.select([], [connection], [], left)[1]:
            connection.send(_CHUNK)
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return {"bytes": struct.unpack_from("Q", info, _BYTES_ACKED)[0],
            "seconds": time.monotonic() - began}


def serve(address, source_port, discard_port):
    listeners = {socket.create_server((address, port), backlog=16): port
                 for port in (source_port, discard_port)}
    for listener in listeners:  # what is accepted inherits it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    sources, sinks = set(), set()
    print("ready", flush=True)
    while True:
        readable, writable, _ = select.select([*listeners, *sinks], [*sources], [])
        for ready in readable:
            if ready in listeners:
                made = ready.accept()[0]
                made.setblocking(False)
                (sources if listeners[ready] == source_port else sinks).add(made)
            else:
                _step(sinks, ready, lambda: ready.recv(1 << 18))
        for ready in writable:
            _step(sources, ready, lambda: ready.send(_CHUNK))


def _step(connections, ready, act):
    try:
        if act():
            return
    except BlockingIOError:
        return
    except OSError:
        pass
    connections.discard(ready)
    ready.close()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    act = {"receive": receive, "send": send}[sys.argv[1]]
    print(json.dumps(act(connect(sys.argv[2], int(sys.argv[3])), float(sys.argv[4]))))
