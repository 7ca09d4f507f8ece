"""What the server learns of the path: from routers (RFC 1191, RFC 8201), which may lie (RFC 5927),
and from silence (RFC 4821)."""
from bed import MIN_RTO_S
from cases import case
from conn import LONG_S, PLAIN
from sending import check_doubling
from wire import icmp_error, too_big

NARROW = 1300
SILENT = 1280  # what is tried when no router says anything


async def fill(c, segments=4):
    """The window, which nobody acknowledges."""
    c.window = segments * c.mss
    await c.connect()
    return await c.receive(segments * c.mss, acks=False)


async def cut_anew(c, first, told, mtu):
    """What was too big comes again at once, in segments that fit `mtu`."""
    c.mtu = mtu
    await c.tell(too_big(first.raw, told))
    return await c.expect(data=c.mss, seq=first.seq, within=0.8 * MIN_RTO_S)


@case(steps=9, app="source", options=PLAIN)
async def path_mtu_is_learnt(c):
    """RFC 1191 6.4, RFC 8201 5.4: what was too big comes again at once, in smaller segments; what
    follows is no larger."""
    segments = await fill(c)
    c.rcv_nxt = (await cut_anew(c, segments[0], NARROW, NARROW)).end
    await c.receive(c.mss)
    c.window = 20 * c.mss
    await c.send("A")
    await c.receive(30 * c.mss)
    await c.receive(30 * c.mss)


@case(steps=11, app="source", options=PLAIN)
async def path_mtu_shrinks_again(c):
    """RFC 8201 4: a narrower link behind the first one, whose router speaks in turn."""
    first = (await fill(c))[0]
    for mtu in (1400, 1350, SILENT):
        first = await cut_anew(c, first, mtu, mtu)
    await c.send("A")
    await c.receive(10 * c.mss)


def _with_number(packet, seq):
    at = (20 if packet.raw[0] >> 4 == 4 else 40) + 4
    return packet.raw[:at] + (seq & 0xffffffff).to_bytes(4, "big") + packet.raw[at + 4:]


@case(steps=14, app="source", options=PLAIN)
async def path_mtu_is_not_believed(c):
    """RFC 5927 4.1, 7.2: what is not in flight, not less, or of no link that exists."""
    segments = await fill(c)
    first, strangers = segments[0], (-1, 4 * c.mss, 1 << 31)
    lies = [too_big(_with_number(first, first.seq + away), NARROW) for away in strangers]
    lies += [too_big(first.raw, len(first.raw)), too_big(first.raw, 9000)]
    if c.run.family == 6:
        lies += [too_big(first.raw, 1279), too_big(first.raw, 0)]
    else:
        lies += [icmp_error(first.raw, 3, 4 + 9, 552), icmp_error(first.raw, 4, 0)]
    for lie in lies:
        await c.tell(lie)
    await c.expect_nothing(0.2 * MIN_RTO_S)
    await c.send("A")
    one = await c.receive_one()
    assert len(one.data) == c.mss, str(one)
    await c.send("A")


@case(steps=8, families=(4,), app="source", options=PLAIN)
async def path_mtu_has_a_floor(c):
    """RFC 5927 7.2: over IPv4 whoever says 68 is taken to say 552."""
    segments = await fill(c)
    c.rcv_nxt = (await cut_anew(c, segments[0], 68, 552)).end
    await c.send("A")
    await c.receive(10 * c.mss)
    await c.receive(10 * c.mss)


@case(steps=11, app="source", options=PLAIN)
async def unreachable_is_not_the_end(c):
    """EstablishedUnreachable, MUST-54 to MUST-56, RFC 5927 6: also what is called hard."""
    segments = await fill(c)
    kinds = [(3, 0), (3, 1), (3, 2), (3, 3), (11, 0), (12, 0), (4, 0)]
    if c.run.family == 6:
        kinds = [(1, 0), (1, 1), (1, 3), (1, 4), (3, 0), (4, 1), (4, 2)]
    await c.step()
    for kind, code in kinds:
        c.net.transmit(icmp_error(segments[0].raw, kind, code))
    await c.expect_nothing(0.2 * MIN_RTO_S)
    for _ in range(3):
        await c.send("A")
        await c.receive(3 * c.mss, acks=False)


@case(steps=9, app="source", options=PLAIN)
async def black_hole(c):
    """RFC 4821 7.7: a router that drops without a word is found by the third time-out."""
    segments = await fill(c)
    first = segments[0]
    times = [first.at]
    for _ in range(2):
        times.append((await c.expect(data=c.mss, seq=first.seq, within=LONG_S)).at)
    c.mtu = SILENT
    again = await c.expect(data=c.mss, seq=first.seq, within=LONG_S)
    check_doubling([*times, again.at])
    c.rcv_nxt = again.end
    await c.send("A")
    await c.receive(10 * c.mss)
    await c.receive(10 * c.mss)
