"""What the server makes of data: order, acknowledgement, and the window that it offers."""
import time

from bed import SEND_BUFFER, WINDOW
from cases import case
from conn import ANY, PLAIN, Mismatch, Options
from wire import after, ramp

EXACT = Options(scale=None)  # a window that is not rounded


# ---- order ----

@case(steps=12)
async def out_of_order(c):
    """What comes early waits; SACK says the newest block first, at most three beside a timestamp
    (RFC 2018 4)."""
    await c.connect()
    first = c.snd_nxt
    blocks = []
    for number in (1, 3, 5, 7):
        left = (first + 10 * number) & 0xffffffff
        await c.send("A", ramp(10, 10 * number), seq=left)
        blocks.insert(0, (left, (left + 10) & 0xffffffff))
        held = await c.expect()
        assert held.options.sack == tuple(blocks[:3]), str(held)
    await c.step()
    for number in (0, 2, 4, 6):
        c.put("A", ramp(10, 10 * number), seq=first + 10 * number)
    c.snd_nxt = (first + 80) & 0xffffffff
    await c.receive(80)


@case(steps=8)
async def out_of_order_near_the_end_of_numbers(c):
    """established_sack_no_overflow_on_near_max_seqnumber, buffer_wraparound_rx: across 2^32."""
    c.isn = c.snd_nxt = c.snd_max = 0xffffffff - 15
    await c.connect()
    first = c.snd_nxt
    await c.send("A", ramp(10, 20), seq=first + 20)
    held = await c.expect()
    wanted = (((first + 20) & 0xffffffff, (first + 30) & 0xffffffff),)
    assert held.options.sack == wanted, str(held)
    await c.send("A", ramp(20), seq=first)
    c.snd_nxt = (first + 30) & 0xffffffff
    await c.receive(30)
    await c.echo(100)


@case(steps=6)
async def duplicates_are_told(c):
    """RFC 2883: data that comes again is told of in the first block."""
    await c.connect()
    await c.echo(20)
    begin = (c.isn + 1) & 0xffffffff
    await c.send("A", ramp(20), seq=begin)
    answer = await c.expect()
    assert answer.options.sack == ((begin, (begin + 20) & 0xffffffff),), str(answer)


@case(steps=13)
async def overlaps(c):
    """established_rfc2018_cases: segments that overlap on all sides give the stream, once."""
    await c.connect()
    first = c.snd_nxt
    for begin, end in ((50, 80), (70, 100), (40, 90), (60, 65), (30, 110), (0, 10), (5, 20)):
        await c.send("A", ramp(end - begin, begin), seq=first + begin)
    await c.send("A", ramp(30, 10), seq=first + 10)
    c.snd_nxt = (first + 110) & 0xffffffff
    await c.receive(110)
    await c.echo(10)


@case(steps=8)
async def fin_out_of_order(c):
    """established_fin_after_missing: a FIN waits for what is missing in front of it."""
    await c.connect()
    first = c.snd_nxt
    await c.send("FA", ramp(10, 10), seq=first + 10)
    await c.expect(ack=first)
    await c.send("A", ramp(10), seq=first)
    c.snd_nxt = (first + 21) & 0xffffffff
    await c.receive(20)
    await c.expect_end()
    await c.send("A")


@case(steps=7)
async def reset_with_a_gap(c):
    """rx_close_rst_with_hole: it counts at RCV.NXT, not behind what waits."""
    await c.connect()
    first = c.snd_nxt
    await c.send("A", ramp(10, 10), seq=first + 10)
    await c.expect()
    await c.send("R", seq=first + 20)
    await c.expect()
    await c.send("R", seq=first)
    await c.expect_gone()


@case(steps=6)
async def single_bytes(c):
    """Many segments of one byte are a stream as well."""
    await c.connect()
    await c.step()
    for at in range(200):
        c.put("A", ramp(1, at))
    await c.receive(200)
    await c.echo(10)


# ---- acknowledgement ----

@case(steps=8, app="discard")
async def delayed_ack(c):
    """MUST-40, MUST-58, MUST-59: an ACK may wait, but less than half a second."""
    await c.connect()
    for first in (0, 100, 200):
        await c.send("A", ramp(100, first))
        sent = c.trace[-1][0]
        await c.expect()
        took = c.trace[-1][0] - sent
        assert took < 0.5, f"{took:.3f} s"


@case(steps=3, app="discard")
async def every_second_segment(c):
    """RFC 9293 SHLD-19: of full segments at least every second is acknowledged at once; those that
    the device hands over together count as one."""
    await c.connect()
    await c.step()
    began = time.time()
    size = c.peer.mss - 12
    for number in range(20):
        c.put("A", ramp(size, number * size))
    answers = 0
    while c.acked != c.snd_nxt & 0xffffffff:
        packet = await c.hear(3)
        assert packet is not None and packet.pure_ack, str(packet)
        answers += 1
    assert c.trace[-1][0] - began < 0.5 and answers <= 20, f"{answers} ACKs of 20 segments"


@case(steps=9)
async def acknowledgement_rides_with_data(c):
    """MUST-59: where there is data to send, the ACK has no segment of its own."""
    await c.connect()
    for first in (0, 100, 200):
        await c.send("PA", ramp(100, first))
        await c.expect(data=ramp(100, first))
    await c.send("A")


@case(steps=6)
async def push(c):
    """MUST-60, MUST-61: the last segment of what was written has PSH; PSH that is missing delays
    nothing."""
    await c.connect()
    await c.send("A", ramp(100))
    (answer,) = await c.receive(100)
    assert "P" in answer.letters, str(answer)
    await c.send("PA", ramp(4000, 100)[:c.peer.mss - 12])
    segments = await c.receive(c.peer.mss - 12)
    assert "P" in segments[-1].letters, str(segments[-1])


@case(steps=12)
async def keep_alive_is_answered(c):
    """RFC 9293 3.8.4: a probe in front of RCV.NXT draws an ACK, with a byte or without."""
    await c.connect()
    await c.echo(10)
    for data in (b"", ramp(1, 9), b""):
        await c.send("A", data, seq=c.snd_nxt - 1)
        await c.expect()
    await c.echo(10)


@case(steps=4)
async def hop_limit(c):
    """MUST-49: what we send has 64, one hop before us."""
    await c.connect()
    await c.send("PA", ramp(10))
    (answer,) = await c.receive(10)
    assert answer.hop_limit == 63, answer.hop_limit


# ---- the window that we offer ----

async def fill(c):
    """Sends until the window is closed and stays so; the server can send nothing back. One step."""
    await c.step()
    size = c.peer.mss - (12 if c.timestamps_on else 0)
    packet = None
    while packet is None or c.right_edge != c.snd_nxt or (packet := await c.hear(0.2)) is not None:
        most = 20 * size  # at a time
        while (room := after(c.right_edge, c.snd_nxt)) > 0 and after(c.snd_nxt, c.acked) < most:
            c.put("A", ramp(min(size, room), after(c.snd_nxt, c.isn) - 1))
        if c.acked != c.snd_nxt and (packet := await c.hear(3)) is None:
            raise Mismatch("no ACK of what fits the window")
        if packet is None:
            return


@case(steps=11, options=EXACT)
async def zero_receive_window(c):
    """ZeroReceiveWindow, ZeroToNonZeroWindowUpdate, ReduceRecvBuf: who is not read closes the
    window; what comes all the same is not taken; what is read opens it, by a segment at least
    (MUST-39)."""
    c.window = 0
    await c.connect()
    await fill(c)
    written = after(c.snd_nxt, c.isn) - 1
    assert 65535 <= written <= 65535 + 2 * SEND_BUFFER + 4 * c.mss, f"{written} bytes were taken"
    # Less than a segment may be free, and is not offered.
    await c.send("A", ramp(1, written), seq=c.snd_nxt)
    await c.expect(ack=ANY, window=0)
    await c.send("A", ramp(1000, written), seq=c.snd_nxt)
    await c.expect(ack=ANY, window=0)
    c.snd_nxt, written = c.acked, after(c.acked, c.isn) - 1
    edge = c.right_edge
    c.window = 60000
    await c.send("A")
    seen = await c.receive(written)
    opened = [s.window << c.peer_scale for s in seen if s.window]
    assert opened and opened[0] >= c.mss and after(c.right_edge, edge) >= 32000, f"{opened[:3]}"
    await c.echo(1000)


@case(steps=6, options=EXACT)
async def reset_at_a_zero_window(c):
    """MUST-66: at a closed window ACK and RST are processed."""
    c.window = 0
    await c.connect()
    await fill(c)
    await c.send("R", seq=c.snd_nxt + 1)
    await c.expect_nothing()
    await c.send("R")
    await c.expect_gone()


@case(steps=5, options=EXACT)
async def acknowledgement_at_a_zero_window(c):
    """MUST-66: what the server waits for at its closed window is heard."""
    c.window = 0
    await c.connect()
    await fill(c)
    c.window, c.endless = 1000, True
    await c.send("A")
    await c.receive(1000)


@case(steps=6, app="discard")
async def non_zero_receive_window(c):
    """NonZeroReceiveWindow: who is read at once is offered a window all the time."""
    await c.connect()
    size = c.peer.mss - 12
    for _ in range(4):
        await c.step()
        for _ in range(16):
            c.put("A", ramp(size))
        while c.acked != c.snd_nxt:
            packet = await c.hear(3)
            assert packet is not None and packet.window << c.peer_scale >= WINDOW // 2, str(packet)


@case(steps=4, app="discard", options=PLAIN)
async def window_without_scale(c):
    """RFC 7323 2.2: without scaling the window has 16 bits, all of them used."""
    await c.connect()
    await c.send("A", ramp(100))
    answer = await c.expect()
    assert 65535 - 100 <= answer.window <= 65535, str(answer)
