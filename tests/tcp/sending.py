"""What the server sends, and when: windows, probes, retransmission."""
from bed import MIN_RTO_S, USER_TIMEOUT_S
from cases import case
from conn import LONG_S, PLAIN, Mismatch, Options
from states import STATES, reach
from wire import after, ramp


# Ten of these fit the server's send buffer three times.
SMALL = Options(mss=500, scale=None, sack=False, timestamps=False)


def check_doubling(times):
    """From time to time twice as long; the first time-out is at least the least, and the round trip
    may add to it. Timers are never early, and on a busy machine late."""
    waits = [after - before for before, after in zip(times, times[1:])]
    if waits[0] < 0.9 * MIN_RTO_S or not all(
            1.7 * before - 0.5 < after < 2.3 * before + 0.5
            for before, after in zip(waits, waits[1:])):
        raise Mismatch("after " + ", ".join(f"{wait:.2f} s" for wait in waits))


# ---- the client's window ----

@case(steps=7, app="source", options=PLAIN)
async def window_is_kept(c):
    """The window is filled, and not overrun; an ACK opens it by as much."""
    c.window = 4 * c.mss
    await c.connect()
    await c.receive(4 * c.mss, acks=False)
    await c.expect_nothing()
    c.window = 2 * c.mss
    await c.send("A")
    await c.receive(2 * c.mss, acks=False)
    await c.expect_nothing()


@case(steps=15)
async def zero_window_probe(c):
    """ZeroWindowProbe: no probe while there is nothing to send; then after the time-out, later and
    later, for as long as it is answered; and the data once the window opens (MUST-36, MUST-37)."""
    c.window = 0
    await c.connect()
    await c.expect_nothing(1.3 * MIN_RTO_S)
    await c.send("PA", ramp(10))
    times = [(await c.expect()).at]
    for _ in range(3):
        times.append((await c.expect(data=1, within=LONG_S, take=False)).at)
        await c.send("A")
    check_doubling(times)
    c.window = 60000
    await c.send("A")
    await c.receive(10)
    await c.echo(10)


@case(steps=10)
async def zero_window_probe_of_all_there_is(c):
    """A probe that brings the last byte is acknowledged like any other, and measures nothing."""
    c.window = 0
    await c.connect()
    await c.send("PA", ramp(1))
    await c.expect()
    await c.expect(data=ramp(1), within=LONG_S)
    c.window = 60000
    await c.send("A")
    await c.send("PA", ramp(10, 1))
    first = await c.expect(data=ramp(10, 1))
    again = await c.expect(data=ramp(10, 1), seq=first.seq, within=LONG_S)
    assert again.at - first.at < 5, f"{again.at - first.at:.1f} s"
    await c.send("A")


@case(steps=12)
async def zero_window_probe_unanswered(c):
    """ZeroWindowProbeRetransmit: unanswered probes go on, doubling; the byte may be taken."""
    c.window = 0
    await c.connect()
    await c.send("PA", ramp(10))
    await c.expect()
    times = [(await c.expect(data=1, within=LONG_S, take=False)).at for _ in range(3)]
    check_doubling(times)
    c.window = 60000
    c.rcv_nxt = (c.rcv_nxt + 1) & 0xffffffff
    await c.send("A")
    await c.expect(data=10, seq=c.rcv_nxt - 1)  # segments are not cut where the ACK is
    await c.send("A")
    await c.echo(10)


@case(steps=6)
async def user_timeout(c):
    """ZeroWindowProbeUserTimeout, TCPUserTimeout, RFC 9293 3.10.8: who answers each probe and never
    takes anything is reset in the end."""
    c.window = 0
    await c.connect()
    await c.send("PA", ramp(10))
    begin = (await c.expect()).at
    await c.step()
    moves_again_at = begin + USER_TIMEOUT_S / 3
    while (packet := await c.hear_any(LONG_S)) is not None and "R" not in packet.letters:
        if packet.data:
            c.put("A")
        if moves_again_at and packet.at > moves_again_at:
            moves_again_at = None
            await c.step()
    c.over()
    if packet is None:
        raise Mismatch("it was not reset")
    assert packet.at - begin > 0.9 * USER_TIMEOUT_S, f"{packet.at - begin:.1f} s"


@case(steps=9, app="source", options=PLAIN)
async def window_closes(c):
    """WindowShrink, MUST-34, MUST-35: a window that is taken back holds back what was not sent;
    what was sent may be acknowledged all the same."""
    c.window = 10 * c.mss
    await c.connect()
    await c.receive(5 * c.mss, acks=False)
    await c.receive(5 * c.mss, acks=False)
    c.window = 0
    await c.send("A")
    await c.expect_nothing()
    probe = await c.expect(data=1, within=LONG_S, take=False)
    assert probe.seq == c.rcv_nxt, str(probe)
    c.window = 5 * c.mss
    await c.send("A")
    await c.receive(5 * c.mss, acks=False)


@case(steps=8)
async def window_closes_without_news(c):
    """RFC 9293 3.10.7.4: a segment with the numbers of the last one tells of a window as well, also
    of a smaller one."""
    await c.connect()
    c.window = 0
    await c.send("A")
    await c.send("PA", ramp(10))
    await c.expect()
    await c.expect_nothing()
    c.window = 60000
    await c.send("A")
    await c.receive(10)


@case(steps=8, app="source", options=PLAIN)
async def window_of_an_old_acknowledgement(c):
    """RFC 9293 3.10.7.4: one before SND.UNA tells nothing of the window: it counts from there."""
    c.window = 4 * c.mss
    await c.connect()
    await c.receive(4 * c.mss, acks=False)
    begin = (c.irs + 1) & 0xffffffff
    await c.send("A", ack=begin + 2 * c.mss, window=2 * c.mss)
    await c.expect_nothing()
    await c.send("A", ramp(10), ack=begin, window=4 * c.mss)
    await c.expect()
    await c.expect_nothing()


@case(steps=6)
async def window_smaller_than_a_segment(c):
    """SendWindowSizesPiggyback, MUST-38: what does not fit is split, but after the override
    time-out only (RFC 9293 3.8.6.2.1)."""
    c.window = 256
    await c.connect()
    await c.send("PA", ramp(1000))
    await c.receive(1000)
    await c.echo(100)


@case(steps=13)
async def nagle_is_off(c):
    """MUST-17: a small segment does not wait for the ACK of the one before."""
    await c.connect()
    for first in range(0, 50, 10):
        await c.send("PA", ramp(10, first))
        await c.expect(data=ramp(10, first))
    await c.send("A")


@case(steps=7, app="source", options=SMALL)
async def slow_start(c):
    """MUST-19, RFC 6928: ten segments at first, and more with each ACK."""
    c.window = 65535
    await c.connect()
    await c.receive(10 * c.mss, acks=False)
    await c.expect_nothing()
    await c.send("A")
    await c.receive(20 * c.mss, acks=False)
    await c.expect_nothing()


# ---- retransmission ----

@case(steps=11, options=PLAIN)
async def retransmission_backs_off(c):
    """Retransmits, MUST-20, RFC 6298 5.5: the time-out doubles each time; the ACK ends it."""
    await c.connect()
    await c.send("PA", ramp(10))
    times = [(await c.expect(data=ramp(10))).at]
    begin = c.rcv_nxt - 10
    for _ in range(3):
        times.append((await c.expect(data=ramp(10), seq=begin, within=LONG_S)).at)
    check_doubling(times)
    await c.send("A")
    await c.expect_nothing(1)
    await c.echo(10)


@case(steps=9)
async def tail_is_repeated_sooner(c):
    """RFC 8985 7: with SACK the last segment is probed for before the time-out."""
    await c.connect()
    await c.settle()
    await c.send("PA", ramp(10, 300))
    first = await c.expect(data=ramp(10, 300))
    again = await c.expect(data=ramp(10, 300), seq=first.seq, within=LONG_S)
    assert again.at - first.at < 0.8 * MIN_RTO_S, f"{again.at - first.at:.2f} s"
    await c.send("A")
    await c.echo(10)


@case(steps=7, app="source")
async def lost_segment_is_repeated_for_sack(c):
    """RFC 6675: three segments behind a gap fill it, long before the time-out, and once."""
    c.window = 20_000
    await c.connect()
    segments = await c.receive(10 * c.mss, acks=False)
    lost = segments[2]
    await c.send("A", ack=lost.seq, options=c.stamped(sack=((segments[3].seq, c.rcv_nxt),)))
    again = await c.expect(data=lost.data, seq=lost.seq, within=0.5 * MIN_RTO_S, new_data=True)
    assert again.data == lost.data
    await c.send("A")
    await c.receive(3 * c.mss)


@case(steps=8, app="source", options=PLAIN)
async def three_duplicates_repeat_a_segment(c):
    """RFC 5681 3.2: without SACK the third duplicate does it."""
    c.window = 20_000
    await c.connect()
    segments = await c.receive(10 * c.mss, acks=False)
    lost = segments[2]
    await c.send("A", ack=lost.seq, window=20_000 - 2 * c.mss)
    await c.step()
    for _ in range(3):
        c.put("A", ack=lost.seq, window=20_000 - 2 * c.mss)
    await c.expect(data=lost.data, seq=lost.seq, within=0.5 * MIN_RTO_S, new_data=True)
    await c.send("A", window=20_000)
    await c.receive(3 * c.mss)


@case(steps=7, app="source", options=SMALL)
async def no_burst_after_a_pause(c):
    """RFC 5681 4.1: after a pause longer than the time-out it begins with the initial window."""
    c.window = 60_000
    await c.connect()
    await c.receive(400_000)
    c.window = 0
    await c.send("A")
    await c.receive_rest()
    c.put()
    await c.pause(4 * MIN_RTO_S)
    c.window = 60_000
    await c.send("A")
    await c.step()
    before = c.rcv_nxt
    await c.receive_rest()
    assert 0 < after(c.rcv_nxt, before) <= 10 * c.mss, f"{after(c.rcv_nxt, before)} bytes"


def _fin_is_repeated(name):
    async def run(c):
        await reach(c, name)
        fin = c.rcv_nxt - 1
        again = await c.fin_again(fin)
        twice = await c.fin_again(fin)
        assert twice.at - again.at > 0.8 * MIN_RTO_S, f"{twice.at - again.at:.2f} s"
        await c.send("A", ack=c.rcv_nxt)
    run.__name__ = f"fin_is_repeated_{name}"
    run.__doc__ = f"ClosingFinRetransmission: in {name} the FIN is sent again, until it is heard."
    case(steps=STATES[name].steps + 3, app=STATES[name].app)(run)


for _name in ("fin_wait_1", "closing", "last_ack"):
    _fin_is_repeated(_name)
