"""One client's end of a connection, in the hands of a case: it sends what it is told to, and every
segment that comes is checked against what must always hold before the case sees it."""
import asyncio
import collections
import random
import time

import wire
from wire import ACK, FIN, RST, SYN, after, ramp

ANY = object()
WITHIN_S = 3.0  # an answer that needs no timer; generous, for the machine may be busy
LONG_S = 20.0  # one that a timer brings, which may have been doubled already
QUIET_S = 0.15  # in which an answer that must not come would have come
CROSSING_S = 0.5  # in which an ACK and what is sent again may cross on a busy machine
AFTER_MOVE_S = 0.05  # in which the ACK of a new owner comes, in states that have one
SCALE = 7
MTU = 1500


class Mismatch(AssertionError):
    """What came is not what must come."""


class Options:
    """What the client's SYN offers."""

    def __init__(self, mss=1460, scale=SCALE, sack=True, timestamps=True):
        self.mss, self.scale, self.sack, self.timestamps = mss, scale, sack, timestamps


PLAIN = Options(scale=None, sack=False, timestamps=False)


class Conn:
    """`send`, `expect`, `expect_nothing` and what is made of them. Each is a step, and a move may
    come before it; `snd_nxt`, `rcv_nxt` and `window` are the client's."""

    def __init__(self, net, local, remote, options=None):
        self.net, self.local, self.remote = net, local, remote
        self.options = options or Options()
        self.isn = self.snd_nxt = self.snd_max = random.getrandbits(32)
        self.rcv_nxt = self.irs = None
        self.window = 60000  # bytes, not scaled
        self.withheld = 0  # of what was received: not acknowledged, because the case says so
        self.timestamp = random.getrandbits(32)
        self.peer = None  # the SYN/ACK's options
        self.stream = None  # what the server's byte number n must be: a function (first, size)
        self.endless = False  # the server always has more to send
        self.ended = False  # the server's FIN has come
        self.mtu = MTU  # of the path, as the server knows it
        self.before_step = None
        self.trace = []  # (time, packet), for a pcap
        self.moving = self.alive = False
        self._queue = collections.deque()
        self._waiter = None
        self._last = None  # of the server: its newest timestamp, ACK and right edge
        self._right = None  # the furthest window that the client has offered
        self._newest_ts = self.timestamp
        self.syn_acks = 0
        self._acked = self._acked_at = None  # what the client has acknowledged, and when
        self._born = time.monotonic()

    # ---- what is agreed ----

    @property
    def timestamps_on(self):
        return self.peer is not None and self.peer.timestamps is not None

    @property
    def scale(self):
        """Of the client's windows."""
        scaled = self.peer is not None and self.peer.scale is not None
        return min(self.options.scale, 14) if scaled else 0

    @property
    def peer_scale(self):
        return (self.peer.scale or 0) if self.peer is not None else 0

    @property
    def mss(self):
        """Of a full segment that the server sends."""
        room = self.mtu - (40 if len(self.local[0]) == 4 else 60)
        default = 536 if len(self.local[0]) == 4 else 1220
        return min(self.options.mss or default, room) - (12 if self.timestamps_on else 0)

    @property
    def right_edge(self):
        """Of the window that the server has offered."""
        return self._last["edge"]

    @property
    def acked(self):
        return self._last["ack"]

    def now_ts(self):
        """The client's clock; never behind what it has said already."""
        now = (self.timestamp + int((time.monotonic() - self._born) * 1000)) & 0xffffffff
        return now if after(now, self._newest_ts) > 0 else self._newest_ts

    # ---- steps ----

    async def step(self):
        if self.alive and self.before_step:
            await self.before_step()

    async def send(self, letters="A", data=b"", *, seq=None, ack=None, window=None, options=None,
                   tsval=None, tsecr=None, **more):
        """Sends one segment, at once. With `seq` it is beside the stream; `options` replaces what
        is agreed on."""
        await self.step()
        self.put(letters, data, seq=seq, ack=ack, window=window, options=options, tsval=tsval,
                 tsecr=tsecr, **more)

    def put(self, letters="A", data=b"", *, seq=None, ack=None, window=None, options=None,
            tsval=None, tsecr=None, **more):
        """send() that is no step of its own."""
        flags = wire.flags_of(letters)
        if flags & SYN:
            self.alive = True
        if seq is None:
            seq = self.snd_nxt
            self.snd_nxt = (seq + len(data) + bool(flags & SYN) + bool(flags & FIN)) & 0xffffffff
        end = (seq + len(data) + bool(flags & SYN) + bool(flags & FIN)) & 0xffffffff
        if after(end, self.snd_max) > 0:
            self.snd_max = end
        if ack is None:
            ack = (self.rcv_nxt or 0) - self.withheld
        if tsval is not None and after(tsval, self._newest_ts) > 0:
            self._newest_ts = tsval
        if window is None:
            window = self.window
        field = window if flags & SYN else window >> self.scale
        if options is None:
            options = self.agreed_options(flags, tsval, tsecr)
        if (flags & ACK and not flags & SYN and self._right is not None
                and after(ack, self.rcv_nxt) <= 0):
            self._note_ack(ack)
            edge = (ack + (field << self.scale)) & 0xffffffff
            if after(edge, self._right) > 0:
                self._right = edge
        self._queue = collections.deque(
            p for p in self._queue if isinstance(p, Exception) or not p.spare)
        raw = wire.segment(self.local, self.remote, seq=seq, ack=ack if flags & ACK else 0,
                           flags=flags, window=min(field, 0xffff), options=options, data=data,
                           **more)
        self.trace.append((time.time(), raw))
        self.net.transmit(raw)

    def _note_ack(self, ack):
        if self._acked is None or after(ack, self._acked) > 0:
            self._acked, self._acked_at = ack & 0xffffffff, time.monotonic()

    def agreed_options(self, flags, tsval=None, tsecr=None):
        if flags & SYN and not flags & ACK:
            offered, parts = self.options, b""
            if offered.mss is not None:
                parts += wire.mss(offered.mss)
            if offered.sack:
                parts += wire.SACK_PERMITTED
            if offered.timestamps:
                parts += wire.timestamps(self.now_ts() if tsval is None else tsval, 0)
            if offered.scale is not None:
                parts += wire.NOP + wire.window_scale(offered.scale)
            return parts
        if not self.timestamps_on or flags & RST:
            return b""
        return wire.NOP * 2 + wire.timestamps(
            self.now_ts() if tsval is None else tsval,
            self._last["tsval"] if tsecr is None else tsecr)

    async def expect(self, letters="A", data=b"", *, seq=None, ack=None, within=WITHIN_S,
                     window=ANY, take=True, new_data=False):
        """The next segment, which must be so (PSH does not matter). What is None is what follows
        from the stream; `data` may be a size. Without `take` the client does not take the data;
        with `new_data` some may come before."""
        await self.step()
        wanted = wire.flags_of(letters)
        empty = not data and not wanted & (SYN | FIN)
        if seq is None:
            seq = ANY if wanted & SYN else self.rcv_nxt

        def fits(p):
            here = seq in (ANY, p.seq) or p.pure_ack and p.seq == self._probed()
            return p.flags & ~wire.PSH == wanted and here and (p.end == p.seq) == empty

        packet = await self._next(within, fits)
        while new_data and packet is not None and packet.data and packet.seq == self.rcv_nxt:
            self._took(packet)
            packet = await self._next(within, lambda p: p.seq == seq)
        if packet is None:
            raise Mismatch(f"no {letters} within {within} s")
        size = data if isinstance(data, int) else len(data)
        problems = []
        if packet.flags & ~wire.PSH != wanted:
            problems.append(f"expected {letters}")
        if len(packet.data) != size or (size and not isinstance(data, int) and packet.data != data):
            problems.append(f"expected {size} bytes of data")
        if packet.pure_ack and packet.seq == self._probed():
            seq = ANY  # behind a byte that has probed a closed window
        if seq is not ANY and packet.seq != seq & 0xffffffff:
            problems.append(f"expected seq {seq & 0xffffffff} ({after(packet.seq, seq):+})")
        if ack is None:
            ack = self.snd_nxt if wanted & ACK else ANY
        if ack is not ANY and packet.ack != ack & 0xffffffff:
            problems.append(f"expected ack {ack & 0xffffffff} ({after(packet.ack, ack):+})")
        if window is not ANY and packet.window << self.peer_scale != window:
            problems.append(f"expected window {window}")
        if problems:
            raise Mismatch(f"{'; '.join(problems)}: {packet}")
        if take:
            self._took(packet)
        return packet

    async def hear(self, within):
        """The next segment, whatever it is; None when there is none. No step."""
        return await self._next(within)

    async def hear_any(self, within):
        """As hear(), and also what comes by itself."""
        return await self._next(within, lambda p: True)

    async def expect_no_reset(self, during=QUIET_S):
        """Nothing that ends the connection; an ACK or a repeated SYN/ACK may come."""
        await self.step()
        while (packet := await self._next(during)) is not None:
            if packet.flags & RST:
                raise Mismatch(f"expected no RST: {packet}")

    async def expect_at_most_reset(self, within=0.3, seq=None):
        """What belongs to no connection draws nothing, or a RST (of that number). No step."""
        packet = await self.hear(within)
        if packet is not None and (packet.letters != "R" or seq not in (None, packet.seq)):
            raise Mismatch(f"expected at most a RST of {seq}: {packet}")

    async def expect_end(self, within=WITHIN_S):
        """The server's FIN, behind all else; with the last of the data, or by itself, and then
        there may be an ACK before it."""
        await self.step()
        if self.ended:
            self.withheld = 0
            return
        packet = await self._next(within)
        if packet is not None and packet.pure_ack:
            packet = await self._next(within)
        if packet is None or packet.letters.replace("P", "") != "FA" or packet.data or (
                packet.seq, packet.ack) != (self.rcv_nxt, self.snd_nxt):
            raise Mismatch(f"expected FIN of {self.rcv_nxt}, ACK of {self.snd_nxt}: {packet}")
        self._took(packet)

    async def receive_to_end(self, within=WITHIN_S):
        """All that comes up to the server's FIN, which is not acknowledged; one step."""
        await self.step()
        got = b""
        while True:
            packet = await self._next(within)
            if packet is None:
                raise Mismatch(f"no FIN within {within} s")
            if packet.pure_ack:
                continue
            if packet.seq != self.rcv_nxt or packet.flags & (RST | SYN):
                raise Mismatch(f"expected seq {self.rcv_nxt}: {packet}")
            got += packet.data
            self._took(packet)
            self.withheld = int(bool(packet.flags & FIN))
            self.put()
            if self.withheld:
                return got

    async def expect_nothing(self, during=QUIET_S):
        await self.step()
        packet = await self._next(during)
        if packet is not None:
            raise Mismatch(f"expected nothing: {packet}")

    async def receive(self, size, *, acks=True, within=WITHIN_S):
        """The next `size` bytes of the stream, in order, however they are cut, and of an endless
        one the rest of the last segment; one step. Returns the segments."""
        await self.step()
        first, got, segments = self.rcv_nxt, 0, []
        while got < size:
            packet = await self._next(within)
            if packet is None:
                raise Mismatch(f"{got} of {size} bytes within {within} s")
            if packet.pure_ack:
                continue  # of what the client has sent
            again = after(self.rcv_nxt, packet.seq) == 1  # has probed a closed window
            if not (packet.seq == self.rcv_nxt or again) or packet.flags & (SYN | RST):
                raise Mismatch(f"expected seq {self.rcv_nxt} "
                               f"({after(packet.seq, self.rcv_nxt):+}): {packet}")
            self._took(packet)
            segments.append(packet)
            self.ended = self.withheld = int(bool(packet.flags & FIN))
            got = after(self.rcv_nxt, first) - self.ended
            if acks:
                self.put()
        if got > size and not self.endless:
            raise Mismatch(f"{got} bytes, expected {size}")
        return segments

    async def receive_one(self):
        """The next segment of the stream, which is not acknowledged."""
        await self.step()
        packet = await self._next(WITHIN_S)
        if packet is None or packet.seq != self.rcv_nxt or not packet.data:
            raise Mismatch(f"expected data from {self.rcv_nxt} on: {packet}")
        self._took(packet)
        return packet

    async def receive_rest(self):
        """What is still on its way; no step."""
        while (packet := await self._next(QUIET_S)) is not None:
            self._took(packet)

    async def fin_again(self, seq):
        """The FIN with that number once more, alone or behind data that is repeated."""
        await self.step()
        while (packet := await self._next(LONG_S, lambda p: p.flags & FIN)) is not None:
            if packet.flags & FIN and (packet.end - 1) & 0xffffffff == seq & 0xffffffff:
                return packet
        raise Mismatch("the FIN does not come again")

    def stamped(self, sack):
        """The options of an ACK with these SACK blocks."""
        return self.agreed_options(ACK) + wire.NOP * 2 + wire.sack(
            *((left & 0xffffffff, right & 0xffffffff) for left, right in sack))

    def flight(self):
        """The segments that the server has not acknowledged, as a range of numbers."""
        return range(0, after(self.snd_nxt, self.acked), self.peer.mss)

    async def tell(self, icmp):
        """What a router has to say."""
        await self.step()
        self.trace.append((time.time(), icmp))
        self.net.transmit(icmp)

    async def pause(self, seconds):
        await self.step()
        await asyncio.sleep(seconds)

    def over(self):
        """The connection is gone: nothing of it can move any more."""
        self.alive = False

    # ---- made of steps ----

    async def expect_gone(self, data=b"", within=0.3):
        """What has ended the connection was sent: from here on it is nobody's."""
        self.over()
        await self.send("A", data)
        await self.expect_at_most_reset(within)

    async def connect(self, **syn):
        await self.send("S", **syn)
        answer = await self.expect("SA")
        await self.send("A")
        return answer

    async def echo(self, size, **how):
        """So many bytes there and back."""
        first = after(self.snd_nxt, self.isn) - 1
        await self.send("PA", ramp(size, first), **how)
        await self.receive(size)

    async def settle(self):
        """Many short exchanges, in one step: the server's measure of the round trip is short again,
        however long the client took before."""
        await self.step()
        hook, self.before_step = self.before_step, None
        for _ in range(30):
            await self.echo(10)
        self.before_step = hook

    async def end(self):
        """The client closes, then the server; nothing is left but its memory of a LAST_ACK."""
        await self.send("FA")
        await self.expect_end()
        await self.send("A")
        self.over()

    # ---- from the network ----

    def deliver(self, raw, at):
        self.trace.append((time.time(), raw))
        if self._last is None or "problem" not in self._last:
            try:
                packet = wire.parse(raw)
                if packet is None:
                    return
                packet.at = at
                self._check(packet)
                self._queue.append(packet)
            except (ValueError, Mismatch) as error:
                self._queue.append(error)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check(self, p):
        """What holds for every segment, whatever the case."""
        if p.flags & RST:
            return
        if p.flags & SYN:
            self.syn_acks += 1
            if self.peer is None:
                self.peer, self.irs = p.options, p.seq
                self.rcv_nxt = p.seq
                self._right = (p.seq + 1 + self.window) & 0xffffffff
                self._last = {"ack": p.ack, "edge": (p.ack + p.window) & 0xffffffff,
                              "tsval": p.options.timestamps[0] if p.options.timestamps else 0}
            elif (p.options.mss, p.options.scale, p.options.sack_permitted, p.seq) != (
                    self.peer.mss, self.peer.scale, self.peer.sack_permitted, self.irs):
                raise Mismatch(f"another SYN/ACK than before: {p}")
            return
        if self._last is None:
            raise Mismatch(f"no SYN/ACK before: {p}")
        if not p.flags & ACK:
            raise Mismatch(f"no ACK flag: {p}")
        if after(p.ack, self.snd_max) > 0:
            raise Mismatch(f"acknowledges what was never sent: {p}")
        if after(p.ack, self._last["ack"]) < 0:
            raise Mismatch(f"the acknowledgement goes back from {self._last['ack']}: {p}")
        edge = (p.ack + (p.window << self.peer_scale)) & 0xffffffff
        if (moved := after(edge, self._last["edge"])) < 0:
            raise Mismatch(f"the window's edge goes back by {-moved}: {p}")
        if (p.options.timestamps is not None) != self.timestamps_on:
            raise Mismatch(f"a timestamp was {'' if self.timestamps_on else 'not '}agreed on: {p}")
        if self.timestamps_on:
            if after(p.options.timestamps[0], self._last["tsval"]) < 0:
                raise Mismatch(f"the timestamp goes back: {p}")
            self._last["tsval"] = p.options.timestamps[0]
        self._last["ack"], self._last["edge"] = p.ack, edge
        self._check_data(p)
        p.spare = self.moving and p.pure_ack

    def _check_data(self, p):
        if not p.data:
            return
        if len(p.data) > self.mss:
            raise Mismatch(f"a segment of {len(p.data)} bytes, the most is {self.mss}: {p}")
        if after((p.seq + len(p.data)) & 0xffffffff, self._right) > 1:  # a probe may have one byte
            raise Mismatch(f"beyond the window, which ends at {self._right}: {p}")
        if self.stream is not None:
            first = after(p.seq, self.irs) - 1
            if p.data != self.stream(first, len(p.data)):
                raise Mismatch(f"not the stream's bytes {first} to {first + len(p.data)}: {p}")

    def _probed(self):
        closed = self.rcv_nxt == self._right
        return (self.rcv_nxt + 1) & 0xffffffff if closed else None

    def _took(self, packet):
        if packet.flags & RST or packet.end == packet.seq:
            return
        if self.rcv_nxt is None or after(packet.end, self.rcv_nxt) > 0:
            self.rcv_nxt = packet.end

    def _comes_by_itself(self, p):
        """What a timer sends: again what is not acknowledged, or a probe of a closed window; and
        the ACK of a new owner."""
        if p.spare:
            return True
        if self.rcv_nxt is None or p.flags & RST or p.end == p.seq:
            return False
        if after(p.end, self.rcv_nxt) <= 0:
            crossing = self._acked is None or after(p.end, self._acked) > 0
            return crossing or p.at - self._acked_at < CROSSING_S
        return len(p.data) == 1 and p.seq == self._right

    async def _next(self, within, wanted=None):
        """The next packet; what comes by itself is passed over unless it is wanted."""
        deadline = time.monotonic() + within
        while True:
            while self._queue:
                packet = self._queue.popleft()
                if isinstance(packet, Exception):
                    raise packet
                if (wanted is not None and wanted(packet)) or not self._comes_by_itself(packet):
                    return packet
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            await self.wait_for_packet(left)

    async def wait_for_packet(self, seconds):
        self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._waiter], timeout=seconds)
        self._waiter = None

    def has_spare(self):
        return any(isinstance(p, wire.Packet) and p.spare for p in self._queue)
