"""From the SYN to ESTABLISHED."""
from cases import case
from conn import LONG_S, PLAIN
from sending import check_doubling
from wire import after, ramp


@case(steps=9)
async def handshake(c):
    """A connection is opened, echoes, and is closed."""
    await c.connect()
    await c.echo(100)
    await c.echo(1)
    await c.end()


@case(steps=11)
async def acceptable_ack_in_syn_received(c):
    """AcceptableAckInSynRcvd: an ACK of SND.UNA or behind SND.NXT draws a RST that fits it, and
    changes nothing (RFC 9293 3.10.7.4)."""
    await c.send("S")
    await c.expect("SA")
    for wrong in (c.irs, c.irs + 2):
        await c.send("A", ack=wrong)
        await c.expect("R", seq=wrong)
    await c.send("A")
    await c.echo(10)
    await c.end()


@case(steps=3, app="source", options=PLAIN)
async def window_of_the_handshake_is_unsigned(c):
    """TCPHandshakeWindowSize, MUST-1: a window of 0x8000 after one of 0 is taken at once, by full
    segments and not by probes."""
    c.window = 0
    await c.send("S")
    await c.expect("SA")
    c.window = 0x8000
    await c.send("A")
    await c.receive(c.mss, acks=False)


@case(steps=2)
async def syn_received_reset(c):
    """TCPSynRcvdReset: a RST in SYN-RECEIVED ends the connection; nothing comes of a later ACK."""
    await c.send("S")
    await c.expect("SA")
    await c.send("R")
    await c.expect_gone(within=1.5)


@case(steps=6)
async def syn_received_reset_out_of_place(c):
    """syn_received_rst: one that is not RCV.NXT does not (RFC 5961 3.2)."""
    await c.send("S")
    await c.expect("SA")
    await c.send("R", seq=c.snd_nxt + 1000)
    await c.expect_no_reset()
    await c.send("A")
    await c.echo(10)


@case(steps=4)
async def syn_received_fin(c):
    """syn_received_fin: the FIN may come with the ACK of the handshake."""
    await c.send("S")
    await c.expect("SA")
    await c.send("FA")
    await c.expect_end()
    await c.send("A")


@case(steps=4)
async def syn_received_data(c):
    """The ACK of the handshake may bring data."""
    await c.send("S")
    await c.expect("SA")
    await c.send("PA", ramp(100))
    await c.receive(100)
    await c.send("A")


@case(steps=6)
async def syn_repeated(c):
    """A SYN that comes again is answered with the same SYN/ACK."""
    await c.send("S")
    await c.expect("SA")
    await c.send("S", seq=c.isn)
    await c.expect("SA", seq=c.irs)
    await c.send("A")
    await c.echo(10)


@case(steps=8)
async def syn_received_segments_without_ack(c):
    """In SYN-RECEIVED what has no ACK is dropped, and what comes from outside the window too
    (RFC 9293 3.10.7.4)."""
    await c.send("S")
    await c.expect("SA")
    await c.send("", ramp(10), seq=c.snd_nxt)
    await c.expect_no_reset()
    await c.send("A", ramp(10), seq=c.snd_nxt + (1 << 20))
    await c.expect_no_reset()
    await c.send("A")
    await c.echo(10)


@case(steps=6, options=PLAIN)
async def syn_ack_is_repeated(c):
    """MUST-20 to 23, RFC 6298 2.1: an unanswered SYN/ACK is repeated after one second, then after
    two."""
    await c.send("S")
    first = await c.expect("SA")
    again = [await c.expect("SA", seq=c.irs, within=LONG_S) for _ in range(2)]
    check_doubling([first.at, *(one.at for one in again)])
    await c.send("A")
    await c.echo(10)


@case(steps=1)
async def initial_sequence_numbers_differ(c):
    """MUST-8, MUST-9, RFC 6528: neither equal nor a step apart for two clients."""
    await c.send("S")
    await c.expect("SA")
    other = c.make_another()
    await other.send("S")
    await other.expect("SA")
    assert abs(after(c.irs, other.irs)) > 1000, f"{c.irs} and {other.irs}"
    other.put("R")


@case(steps=0, stays="there is no connection")
async def what_is_nobodys(c):
    """RST is never answered; what belongs to no connection draws at most a RST that fits it."""
    await c.send("R", seq=1)
    await c.expect_nothing()
    await c.send("A", seq=1, ack=77)
    await c.expect_at_most_reset(seq=77)
    await c.send("SA", seq=1, ack=77)
    c.over()
    await c.expect_at_most_reset(seq=77)
