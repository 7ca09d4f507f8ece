"""What the options of a segment mean, and what they do not (RFC 9293 3.2, RFC 7323)."""
from cases import case
from conn import ANY, PLAIN, Options
import wire
from wire import after, ramp


def _plain(mss):
    return Options(mss=mss, scale=None, sack=False, timestamps=False)


# ---- the largest segment ----

@case(steps=3, app="source", options=_plain(None))
async def mss_by_default(c):
    """MUST-15: without an MSS option the segments have 536 bytes, with IPv6 1220."""
    await c.connect()
    first = await c.receive_one()
    wanted = 536 if c.run.family == 4 else 1220
    assert len(first.data) == wanted, str(first)


@case(steps=3, app="source", options=_plain(1000))
async def mss_is_kept(c):
    """MUST-16: no segment is longer than the peer has announced; those of a stream are as long."""
    await c.connect()
    segments = await c.receive(20_000)
    assert sum(len(s.data) == 1000 for s in segments) > len(segments) // 2


@case(steps=3, app="source", options=Options(mss=1000))
async def mss_counts_options(c):
    """RFC 6691: the MSS does not count options, a segment that has some is shorter."""
    await c.connect()
    segments = await c.receive(988 * 20)
    assert sum(len(s.data) == 988 for s in segments) > len(segments) // 2


@case(steps=3, app="source", options=_plain(0))
async def mss_of_zero(c):
    """listen_syn_zero_mss_is_ignored."""
    await c.connect()
    first = await c.receive_one()
    assert len(first.data) == c.mss, str(first)


@case(steps=4, options=_plain(1))
async def mss_of_one(c):
    """listen_syn_tiny_mss_is_clamped: it goes on, with segments that are not absurd."""
    await c.connect(options=wire.mss(1))
    c.options = _plain(88)
    await c.echo(500)


@case(steps=4, app="source", options=_plain(1460))
async def mss_of_a_later_segment(c):
    """MUST-14, MUST-67: it counts on a SYN only."""
    c.window = 0
    await c.connect()
    c.window = 60000
    await c.send("A", options=wire.mss(100))
    first = await c.receive_one()
    assert len(first.data) == c.mss, str(first)


@case(steps=4)
async def mss_is_announced(c):
    """MUST-14, SHLD-5: our SYN/ACK says our own, which leaves room for a tunnel's header."""
    await c.connect()
    room = 1500 - (40 if c.run.family == 4 else 60)
    assert c.peer.mss is not None and room - 200 <= c.peer.mss < room, str(c.peer)
    await c.echo(c.peer.mss - 12)


# ---- the form ----

UNKNOWN = b"\x1e\4ab" + b"\xfd\6cdef"


@case(steps=4)
async def unknown_options_of_the_syn(c):
    """MUST-6, MUST-68: what is not known is passed over by its length; what is behind it counts."""
    await c.send("S", options=UNKNOWN + wire.mss(1460) + b"\x1e\2" + wire.SACK_PERMITTED
                 + wire.timestamps(c.timestamp, 0) + wire.window_scale(7))
    await c.expect("SA")
    assert c.peer.timestamps and c.peer.sack_permitted and c.peer.scale is not None, str(c.peer)
    await c.send("A")
    await c.echo(100)


@case(steps=6, options=PLAIN)
async def unknown_options_of_any_segment(c):
    """MUST-5, MUST-6."""
    await c.connect(options=UNKNOWN)
    await c.send("PA", ramp(100), options=UNKNOWN + wire.NOP * 3 + b"\x1e\3x")
    await c.receive(100)
    await c.send("FA", options=UNKNOWN)
    await c.expect_end()


@case(steps=19, options=PLAIN)
async def options_of_illegal_length(c):
    """MUST-7: lengths of 0 and 1, and beyond the header, hurt nobody."""
    await c.connect()
    await c.echo(10)
    for options in (b"\x1e\0ab", b"\x1e\1ab", b"\x1e\xffab", b"\2\4", b"\2\3aa", b"\3\2aa",
                    b"\5\0aa", b"\5\xffaa", b"\x08\x0aaa", b"\1\1\1\x08", b"\1\1\1\2",
                    b"\0\0\0\x08"):
        await c.step()
        c.put("A", options=options)
        c.put("A", ramp(3, 7), seq=c.snd_nxt - 3, options=options)
    await c.expect_no_reset()
    await c.echo(100)


@case(steps=0, options=PLAIN)
async def options_of_illegal_length_in_the_syn(c):
    """MUST-7: the SYN itself; either it is dropped, or the connection works."""
    await c.send("S", options=b"\2\1\1\1")
    answer = await c.hear(0.5)
    assert answer is None or answer.letters == "SA", str(answer)
    c.over()
    other = c.make_another()
    await other.connect()
    await other.echo(10)
    other.put("R")


@case(steps=6, options=PLAIN)
async def options_end(c):
    """MUST-4, MUST-69: behind End of Option List there may be anything."""
    await c.connect(options=wire.mss(1460) + b"\0\x08\x0a\xff")
    await c.send("PA", ramp(100), options=b"\0\xff\xff\xff")
    await c.receive(100)
    await c.echo(10)


@case(steps=4, options=PLAIN)
async def options_unaligned(c):
    """MUST-64: an option may begin at any byte."""
    await c.connect(options=wire.NOP + wire.mss(1460) + wire.NOP * 2 + b"\x1e\3x"
                    + wire.SACK_PERMITTED)
    assert c.peer.sack_permitted, str(c.peer)
    await c.echo(100)


@case(steps=6, options=PLAIN)
async def options_not_offered_are_not_used(c):
    """RFC 7323 2.2, 3.2, RFC 2018 2: what the SYN did not offer is not said, nor done."""
    await c.connect()
    assert not (c.peer.timestamps or c.peer.sack_permitted or c.peer.scale is not None), str(c.peer)
    await c.send("A", ramp(10, 10), seq=c.snd_nxt + 10)
    held = await c.expect()
    assert not held.options.sack, str(held)
    await c.send("A", ramp(10))
    c.snd_nxt = (c.snd_nxt + 10) & 0xffffffff
    await c.receive(20)


# ---- window scale ----

@case(steps=5, app="source", options=Options(scale=15, timestamps=False))
async def window_scale_above_14(c):
    """RFC 7323 2.3: a shift above 14 counts as 14."""
    c.window = 4 << 14
    await c.connect()
    await c.receive(100_000)
    c.window = 1 << 14
    await c.send("A")
    await c.receive(100_000)


@case(steps=4, app="source", options=Options(scale=7))
async def window_of_the_syn_is_not_scaled(c):
    """RFC 7323 2.2: that of the SYN; all later ones are."""
    c.window = 2000
    await c.send("S")
    await c.expect("SA")
    c.window = 256
    await c.send("A")
    await c.receive(256, acks=False)
    await c.expect_nothing()


# ---- timestamps ----

def _stamp(c, delta):
    return (c.timestamp + delta) & 0xffffffff


@case(steps=13)
async def paws(c):
    """PAWSMechanism, RFC 7323 5.3: what is older than the newest timestamp draws an ACK, is not
    taken, and is not echoed."""
    await c.connect(tsval=_stamp(c, 1000))
    await c.echo(10, tsval=_stamp(c, 2000))
    for letters, data in (("PA", ramp(10, 10)), ("A", b""), ("FA", b"")):
        await c.send(letters, data, seq=c.snd_nxt, tsval=_stamp(c, 1999 - 1000))
        answer = await c.expect()
        assert after(answer.options.timestamps[1], _stamp(c, 2000)) >= 0, str(answer)
    await c.expect_nothing()
    await c.send("PA", ramp(10, 10), tsval=_stamp(c, 1 << 20))
    (answer,) = await c.receive(10, acks=False)
    assert answer.options.timestamps[1] == _stamp(c, 1 << 20), str(answer)


@case(steps=9)
async def paws_of_equal_timestamps(c):
    """RFC 7323 5.3: one that has not moved is not older."""
    await c.connect(tsval=_stamp(c, 1000))
    for first in (0, 10, 20):
        await c.send("PA", ramp(10, first), tsval=_stamp(c, 1 << 20))
        await c.receive(10, acks=False)
    await c.send("A", tsval=_stamp(c, 1 << 20))


@case(steps=5)
async def paws_spares_resets(c):
    """RFC 7323 5.2: a RST is not dropped for its timestamp."""
    await c.connect()
    await c.echo(10, tsval=_stamp(c, 1 << 20))
    await c.send("R", options=wire.NOP * 2 + wire.timestamps(_stamp(c, -5000), 0))
    await c.expect_gone(ramp(10))


@case(steps=4, app="discard")
async def timestamp_of_delayed_ack(c):
    """RFC 7323 4.3: an ACK of two segments echoes the first one's."""
    await c.connect(tsval=_stamp(c, 1000))
    await c.step()
    c.put("A", ramp(c.peer.mss - 12), tsval=_stamp(c, 1 << 20))
    c.put("A", ramp(c.peer.mss - 12), tsval=_stamp(c, (1 << 20) + 5))
    answer = await c.expect(ack=ANY)  # of the first alone, or of both
    assert answer.options.timestamps[1] == _stamp(c, 1 << 20), str(answer)


@case(steps=8, app="discard")
async def timestamp_of_out_of_order_data(c):
    """RFC 7323 4.3: what comes early is not echoed; what fills the gap is."""
    await c.connect(tsval=_stamp(c, 1000))
    await c.send("A", ramp(10), tsval=_stamp(c, 2000))
    await c.expect()
    await c.send("A", ramp(10), seq=c.snd_nxt + 10, tsval=_stamp(c, 3000))
    answer = await c.expect()
    assert answer.options.timestamps[1] == _stamp(c, 2000), str(answer)
    await c.send("A", ramp(10), tsval=_stamp(c, 2500))
    answer = await c.expect(ack=c.snd_nxt + 10)
    assert answer.options.timestamps[1] == _stamp(c, 2500), str(answer)


@case(steps=7)
async def timestamp_clock_goes_on(c):
    """RFC 7323 5.4: between 1 ms and 1 s a tick; ours about 1 ms, and also across moves."""
    await c.connect()
    await c.send("PA", ramp(10))
    (before,) = await c.receive(10)
    await c.pause(1)
    await c.send("PA", ramp(10, 10))
    (later,) = await c.receive(10)
    ticks = after(later.options.timestamps[0], before.options.timestamps[0])
    assert 800 <= ticks <= 1000 * (later.at - before.at) + 200, f"{ticks} ticks"


@case(steps=6)
async def segments_without_timestamp(c):
    """RFC 7323 3.2 lets us drop a segment that lacks what was agreed on; we take it."""
    await c.connect()
    await c.send("PA", ramp(10), options=b"")
    await c.receive(10)
    await c.echo(10)
