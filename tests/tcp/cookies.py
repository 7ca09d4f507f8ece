"""Handshakes under a flood of SYNs (RFC 4987): what a cookie answers becomes a connection like any
other, and may move."""
from cases import case
from conn import PLAIN, Options
from sending import MIN_RTO_S
from wire import after, ramp


async def connect_by_cookie(c, completes=True):
    """A SYN/ACK that nobody remembers is not repeated; before it is acknowledged, nothing is there
    to move."""
    await c.net.flood(c.run.family, c.remote)
    c.put("S")
    c.over()
    await c.expect("SA")
    await c.expect_nothing(1.7 * MIN_RTO_S)
    assert c.syn_acks == 1, "the SYN/ACK was repeated: it was no cookie"
    if completes:
        c.put("A")
        c.alive = True


@case(steps=11, app="flooded")
async def cookie_keeps_what_was_agreed(c):
    """TCPSynCookie, RFC 7323: by way of the timestamp a cookie remembers window scale and SACK."""
    await connect_by_cookie(c)
    assert c.peer.scale is not None and c.peer.sack_permitted and c.timestamps_on, str(c.peer)
    full = c.peer.mss - 12
    await c.step()
    c.put("A", ramp(full))
    c.put("PA", ramp(full, full))
    segments = await c.receive(2 * full)
    longest = max(len(one.data) for one in segments)  # a window without its scale has 468 bytes
    assert longest > 1000, f"{longest} bytes at most"
    sent = after(c.snd_nxt, c.isn) - 1
    gap = c.snd_nxt
    await c.send("PA", ramp(100, sent + 50), seq=gap + 50)
    answer = await c.expect(ack=gap)
    held = (gap + 50) & 0xffffffff, (gap + 150) & 0xffffffff
    assert answer.options.sack == (held,), str(answer)
    await c.send("PA", ramp(50, sent), seq=gap)
    c.snd_nxt = (gap + 150) & 0xffffffff
    await c.receive(150)
    await c.echo(1)
    await c.end()


@case(steps=8, app="flooded", options=Options(mss=1300, scale=None, sack=True, timestamps=False))
async def cookie_without_timestamps(c):
    """RFC 4987 3.6: then the MSS is all that it remembers, rounded down."""
    await connect_by_cookie(c)
    assert c.peer.scale is None and not c.peer.sack_permitted, str(c.peer)
    await c.send("A", ramp(1300))
    await c.send("PA", ramp(1300, 1300))
    segments = await c.receive(2600)
    longest = max(len(one.data) for one in segments)
    assert longest == 1220, f"{longest} bytes at most"
    await c.echo(10)
    await c.end()


@case(steps=2, app="flooded", options=PLAIN)
async def cookie_that_was_guessed(c):
    """TCPSynCookie: an ACK of another number opens nothing, and the right one does."""
    await connect_by_cookie(c, completes=False)
    for wrong in (c.irs + 2, c.irs, c.irs + 1 + (1 << 20)):
        c.put("PA", ramp(10), seq=c.snd_nxt, ack=wrong)
        await c.expect_at_most_reset(seq=wrong & 0xffffffff)
    c.put("A")
    c.alive = True
    await c.echo(10)


@case(steps=0, app="flooded", stays="there is no connection")
async def cookie_is_good_once(c):
    """The ACK that has opened a connection opens none when it comes again."""
    await connect_by_cookie(c)
    c.over()
    await c.echo(10)
    c.put("R")
    c.put("PA", ramp(10), seq=c.isn + 1, ack=c.irs + 1)
    await c.expect_at_most_reset(within=0.5)
