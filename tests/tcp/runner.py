"""Runs cases against two nodes, many at a time in one event loop. Started by conftest.py inside a
network namespace of its own; reads the names of the runs, one a line, and answers each with a line
of JSON: its name, what went wrong (empty: nothing), and the pcap that shows it.

  runner.py MIGD FOLDER_OF_PCAPS
"""
import asyncio
import contextlib
import ipaddress
import itertools
import json
import os
import random
import struct
import sys
import tempfile
import time
import traceback

import bed as beds
import cases
import wire
from admin import Admin
from bed import kernel
from conn import AFTER_MOVE_S, Conn, Mismatch

import behaviour  # noqa: F401  (its cases register themselves)

AT_A_TIME = 160
GIVE_UP_S = 60
ATTEMPTS = 3
HALF_OPEN_S = 50, 70  # a SYN/ACK is repeated for 63 s: so long it certainly is, and is not
OTHER = {"a": "b", "b": "a"}


class Runner:
    def __init__(self, bed):
        self.bed = bed
        self.admins = {node: Admin(bed.socket(node)) for node in beds.NODES}
        self._conns = {}  # (address, port) of the client -> Conn
        self._ids = {}  # the same -> connection id, once it is known
        self._id_waiters = {}
        self._flooding = {family: asyncio.Lock() for family in beds.CLIENTS}
        self._flooded_at = {family: -1e9 for family in beds.CLIENTS}
        self._addresses = {family: self._all_clients(family) for family in beds.CLIENTS}

    @staticmethod
    def _all_clients(family):
        """Another (address, port) for each connection, so that none meets another's remains."""
        hosts = ipaddress.ip_network(beds.CLIENTS[family]).hosts()
        return ((host.packed, port) for host, port in
                zip(hosts, itertools.cycle(range(20000, 30000, 7))))

    # ---- packets ----

    def transmit(self, raw):
        self.bed.client.transmit(raw)

    def on_readable(self):
        for _ in range(64):
            try:
                raw = self.bed.client.receive()
            except BlockingIOError:
                return
            v4 = raw[0] >> 4 == 4
            head = (raw[0] & 15) * 4 if v4 else 40
            client = (raw[16:20] if v4 else raw[24:40],
                      int.from_bytes(raw[head + 2:head + 4], "big"))
            conn = self._conns.get(client)
            if conn is not None:
                conn.deliver(raw, time.monotonic())

    async def flood(self, family, remote):
        """As many SYNs from others as an address keeps, and none of them goes on: from here on it
        answers SYNs with cookies, until it gives those up."""
        async with self._flooding[family]:
            age = time.monotonic() - self._flooded_at[family]
            if age < HALF_OPEN_S[0]:
                return
            await asyncio.sleep(max(0, HALF_OPEN_S[1] - age))
            for number in range(beds.SYN_BACKLOG):
                self.transmit(wire.segment(next(self._addresses[family]), remote, flags=wire.SYN,
                                           seq=random.getrandbits(32), ack=0, window=1000,
                                           options=wire.mss(1460)))
                if number % 32 == 0:
                    await asyncio.sleep(0)
            self._flooded_at[family] = time.monotonic()

    # ---- connections and their moves ----

    def make_conn(self, run, options=None):
        local = next(self._addresses[run.family])
        remote = (wire.address(beds.VIP[run.family]), beds.SERVICES[run.case.app])
        conn = Conn(self, local, remote, options or run.case.options)
        conn.make_another = lambda options=None: self.make_conn(run, options)
        if beds.APPLICATIONS.get(run.case.app, run.case.app) in ("echo", "source"):
            # cases send a ramp, and nothing else
            conn.stream = lambda first, size: wire.ramp(size, first)
            conn.endless = run.case.app == "source"
        conn.bed, conn.run, conn.steps, conn.owner, conn.moves = self.bed, run, 0, "a", []

        async def before_step():
            conn.steps += 1
            if run.moves_before(conn.steps):
                await self.move(conn)

        conn.before_step = before_step
        self._conns[local] = conn
        return conn

    async def note_ids(self, watching):
        async for event in self.admins["a"].events("connection_opened"):
            if event["event"] == "watching":
                watching.set_result(None)
                continue
            host, port = event["peer"].rsplit(":", 1)
            client = (wire.address(host.strip("[]")), int(port))
            self._ids[client] = event["connection"]
            if waiter := self._id_waiters.pop(client, None):
                waiter.set_result(None)

    async def _id_of(self, conn):
        if conn.local not in self._ids:
            waiter = self._id_waiters.setdefault(
                conn.local, asyncio.get_running_loop().create_future())
            await asyncio.wait_for(waiter, 5)
        return self._ids[conn.local]

    async def move(self, conn):
        """To the other node, until it is active there and has said so to the client."""
        target = OTHER[conn.owner]
        conn.moving = True
        status, answer = await self.admins[conn.owner].post(
            "/v1/migrate", id=await self._id_of(conn), to=target, wait=True, timeout="10s")
        conn.moves.append(f"{time.strftime('%T')} before step {conn.steps}: {answer.strip()}")
        if status != 200:
            raise Mismatch(f"the move from {conn.owner} to {target} before step {conn.steps}: "
                           f"{answer.strip()}")
        conn.owner = target
        give_up = time.monotonic() + AFTER_MOVE_S
        while not conn.has_spare() and (left := give_up - time.monotonic()) > 0:
            await conn.wait_for_packet(left)
        conn.moving = False

    # ---- runs ----

    async def run(self, run):
        """(Conn, problem). A server whose SYN/ACK was unanswered for a second begins with one
        segment (RFC 6298 5.7), and its time-out is long: when it was this machine that was slow,
        the run says nothing, and is repeated."""
        for _ in range(ATTEMPTS):
            conn, problem = await self._attempt(run)
            if not problem or conn.syn_acks < 2:
                break
        return conn, problem

    async def _attempt(self, run):
        conn = self.make_conn(run)
        problem = ""
        try:
            await asyncio.wait_for(run.case.script(conn), GIVE_UP_S)
            if run.moves == "never" and conn.steps != run.case.steps:
                problem = f"the case says {run.case.steps} steps, and has {conn.steps}"
        except (Mismatch, AssertionError) as error:
            line = traceback.extract_tb(error.__traceback__)
            at = next((f for f in line if f.name == run.case.script.__name__), line[-1])
            problem = f"{os.path.basename(at.filename)}:{at.lineno}: {at.line}\n{error}"
        except Exception:  # a defect of the case: it fails alone
            problem = traceback.format_exc()
        if problem and conn.moves:
            problem += "\n" + "\n".join(conn.moves)
        if gone := self.bed.ended():
            problem += "".join(f"\nnode {node} has ended:\n{log}" for node, log in gone.items())
        with contextlib.suppress(OSError):
            conn.put("R")  # whatever is left of it need not linger
        return conn, problem


def write_pcap(path, trace):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for at, raw in trace:
            file.write(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(raw), len(raw)) + raw)


async def run_all(runner, names, pcaps):
    asyncio.get_running_loop().add_reader(runner.bed.client, runner.on_readable)
    watching = asyncio.get_running_loop().create_future()
    listening = asyncio.create_task(runner.note_ids(watching))
    await asyncio.wait([watching, listening], return_when=asyncio.FIRST_COMPLETED)
    places = asyncio.Semaphore(AT_A_TIME)
    every = cases.runs()

    async def one(name):
        async with places:
            conn, problem = await runner.run(every[name])
        path = ""
        if problem:
            path = os.path.join(pcaps, f"{name}.pcap")
            write_pcap(path, conn.trace)
        print(json.dumps({"name": name, "problem": problem, "pcap": path,
                          "steps": conn.steps}), flush=True)

    random.shuffle(names)
    runs = asyncio.gather(*(one(name) for name in names))
    await asyncio.wait([asyncio.ensure_future(runs), listening],
                       return_when=asyncio.FIRST_COMPLETED)
    if listening.done():
        listening.result()
    await runs


def main():
    binary, pcaps = sys.argv[1:]
    names = sys.stdin.read().split()
    kernel.come_first()  # and so do the nodes
    with tempfile.TemporaryDirectory(prefix="migd-tcp.") as folder:
        asyncio.run(run_all(Runner(beds.Bed(folder, binary)), names, pcaps))


if __name__ == "__main__":
    main()
