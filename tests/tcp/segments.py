"""Which segments count (RFC 9293 3.10.7.4, RFC 5961), in every state that a client can cause."""
from cases import case
from conn import PLAIN
from states import STATES, reach
from wire import after, ramp

BEYOND = 1 << 21  # more than any window here


# ---- ESTABLISHED ----

@case(steps=24)
async def outside_the_window(c):
    """TCPOutsideTheWindow: SYN, SYN/ACK and data behind the window draw an ACK, a FIN without ACK
    draws nothing; nothing of it is taken."""
    await c.connect()
    await c.echo(10)
    edge = c.right_edge
    for letters, data in (("S", b""), ("SA", b""), ("A", ramp(10)), ("A", b"")):
        for beyond in (1, 2):
            await c.send(letters, data, seq=edge + beyond)
            await c.expect()
    await c.send("F", seq=edge)
    await c.expect_nothing()
    await c.echo(10)


@case(steps=12)
async def at_the_edge_of_the_window(c):
    """TCPOutsideTheWindow: exactly at its right edge SYN and data draw an ACK, a pure ACK draws
    none (it may be one behind a closed window)."""
    await c.connect()
    await c.echo(10)
    edge = c.right_edge
    for letters, data in (("S", b""), ("SA", b""), ("A", ramp(10))):
        await c.send(letters, data, seq=edge)
        await c.expect()
    await c.echo(10)


@case(steps=11)
async def reset_at_the_edge_is_dropped(c):
    """RFC 5961 3.2: a RST at RCV.NXT+RCV.WND, behind it, or before RCV.NXT is dropped."""
    await c.connect()
    await c.echo(10)
    await c.send("R", seq=c.right_edge)
    await c.expect_nothing()
    await c.send("R", seq=c.right_edge + 1000)
    await c.send("R", seq=c.snd_nxt - 1)
    await c.expect_nothing()
    await c.echo(10)


@case(steps=7)
async def reset_in_the_window_is_challenged(c):
    """RFC 5961 3.2: a RST within the window draws an ACK; the one that fits it is obeyed."""
    await c.connect()
    await c.echo(10)
    await c.send("R", seq=c.snd_nxt + 100)
    await c.expect()
    await c.send("R")
    await c.expect_gone(ramp(10), within=0.5)


@case(steps=12)
async def syn_is_challenged(c):
    """RFC 5961 4.2: a SYN on a live connection draws an ACK, wherever it is."""
    await c.connect()
    await c.echo(10)
    for seq in (c.snd_nxt, c.snd_nxt + 100, c.isn):
        await c.send("S", seq=seq)
        await c.expect()
    await c.echo(10)


@case(steps=10)
async def acknowledges_what_was_not_sent(c):
    """EstablishedUnaccSeqAck: an ACK behind SND.NXT draws an ACK and is dropped with its data."""
    await c.connect()
    await c.echo(10)
    for data in (b"", ramp(10)):
        await c.send("A", data, seq=c.snd_nxt, ack=c.rcv_nxt + 100)
        await c.expect()
    await c.echo(10)


@case(steps=10)
async def acknowledges_long_ago(c):
    """RFC 5961 5.2: an ACK before SND.UNA-MAX.SND.WND draws an ACK and is dropped with its data."""
    await c.connect()
    await c.echo(10)
    for data in (b"", ramp(10)):
        await c.send("A", data, seq=c.snd_nxt, ack=c.irs - BEYOND * 8)
        await c.expect()
    await c.echo(10)


@case(steps=8)
async def old_acknowledgement_brings_data(c):
    """RFC 5961 5.2: an ACK that is old, but not too old, is no reason to drop the data."""
    await c.connect()
    await c.echo(10)
    await c.send("A", ramp(10, 10), ack=c.rcv_nxt - 5)
    await c.receive(10)
    await c.echo(10)


@case(steps=10)
async def without_ack(c):
    """RFC 9293 3.10.7.4: a segment without ACK is dropped, with its data and its FIN."""
    await c.connect()
    await c.echo(10)
    await c.send("", ramp(10), seq=c.snd_nxt)
    await c.expect_nothing()
    await c.send("F", seq=c.snd_nxt)
    await c.expect_nothing()
    await c.echo(10)


@case(steps=12)
async def old_data_is_acknowledged(c):
    """old_data_ack_not_rate_limited: what has come before draws an ACK, again and again."""
    await c.connect()
    await c.echo(10)
    for _ in range(3):
        await c.send("A", ramp(10), seq=c.isn + 1)
        await c.expect()
    await c.echo(10)


@case(steps=8)
async def partially_old(c):
    """Of data that begins before RCV.NXT the rest is taken."""
    await c.connect()
    await c.echo(10)
    await c.send("A", ramp(20), seq=c.isn + 1)
    c.snd_nxt = (c.snd_nxt + 10) & 0xffffffff
    await c.receive(10)
    await c.echo(10)


@case(steps=13, app="discard")
async def partially_outside_the_window(c):
    """established_receive_partially_outside_window: what lies behind the right edge is cut off,
    with its FIN; what fits is taken."""
    await c.connect()
    await c.send("A", ramp(1000, 0))
    await c.expect()
    edge, missing = c.right_edge, c.snd_nxt
    first = after(edge, c.isn) - 1 - 500
    await c.send("FA", ramp(1000, first), seq=edge - 500)
    held = await c.expect()
    assert held.options.sack == (((edge - 500) & 0xffffffff, edge),), str(held)
    await c.send("A", ramp(1000, 1000), seq=missing)
    c.snd_nxt = (missing + 1000) & 0xffffffff
    await c.expect()
    await c.send("A", ramp(10, 2000))
    await c.expect()
    await c.send("FA")
    await c.expect()  # there is a gap
    await c.send("R")
    c.over()


@case(steps=11)
async def challenges_are_counted(c):
    """RFC 5961 7: a stranger's segments draw a few ACKs, not one each; data is acknowledged all the
    same."""
    await c.connect()
    await c.echo(10)
    await c.step()
    for _ in range(200):
        c.put("S", seq=c.snd_nxt + 100)
    answers = 0
    while await c.hear(0.3) is not None:
        answers += 1
    assert 1 <= answers <= 50, f"{answers} answers to 200 segments"
    await c.echo(10)
    await c.send("A", ramp(10), seq=c.isn + 1)
    await c.expect()
    await c.echo(10)


@case(steps=9, app="discard")
async def urgent_data_is_data(c):
    """MUST-30 to 33, MUST-62: the urgent pointer changes nothing, its data is in the stream."""
    await c.connect()
    await c.send("UPA", ramp(100), urgent=50)
    await c.expect()
    await c.send("UPA", ramp(100, 100), urgent=65535)
    await c.expect()
    await c.end()


@case(steps=8)
async def wrong_checksums_are_dropped(c):
    """MUST-2, MUST-3."""
    await c.connect()
    await c.echo(10)
    await c.send("PA", ramp(10), seq=c.snd_nxt, bad_checksum=1)
    await c.expect_nothing()
    await c.echo(10)


@case(steps=10)
async def header_sizes_that_lie(c):
    """A data offset below five, or behind the packet's end, is dropped."""
    await c.connect()
    await c.echo(10)
    for offset in (0, 4, 15):
        await c.send("PA", ramp(3), seq=c.snd_nxt, offset=offset, options=b"")
    await c.expect_nothing()
    await c.echo(10)


@case(steps=6)
async def reserved_bits_mean_nothing(c):
    """RFC 9293 3.1: reserved bits that are set are ignored."""
    await c.connect()
    await c.send("PA", ramp(10), reserved=14)
    await c.receive(10)
    await c.echo(10)


# ---- all the other states ----

def in_state(name):
    """Registers a case for each state, under the case's name and the state's."""
    arrive = STATES[name]

    def register(script, steps, doc):
        async def run(c):
            await reach(c, name)
            await script(c)
        run.__name__ = f"{script.__name__}_{name}"
        run.__doc__ = doc
        case(steps=arrive.steps + steps, app=arrive.app)(run)
    return register


async def outside(c):
    for letters, data in (("A", b""), ("A", ramp(10)), ("FA", b""), ("SA", b"")):
        await c.send(letters, data, seq=c.right_edge + BEYOND)
        await c.expect()
    await c.expect_nothing()


async def unsent_acknowledged(c):
    for data in (b"", ramp(10)):
        await c.send("A", data, seq=c.snd_nxt, ack=c.rcv_nxt + 1000)
        await c.expect()


async def challenged(c):
    await c.send("R", seq=c.snd_nxt + 10)
    await c.expect()
    await c.send("S", seq=c.snd_nxt)
    await c.expect()
    await c.send("R", seq=c.snd_nxt - 1)
    await c.expect_nothing()


async def unmoved_by_resets(c):
    for seq in (c.snd_nxt, c.snd_nxt + 10, c.snd_nxt - 1):
        await c.send("R", seq=seq)
    await c.expect_nothing()
    await c.send("FA", seq=c.snd_nxt - 1)
    await c.expect()


async def reset(c):
    await c.send("R")
    await c.expect_gone()


for _name in STATES:
    _register = in_state(_name)
    _register(outside, 9, f"AckOTWSeqInClosing and its like: behind the window, in {_name}.")
    if _name == "time_wait":
        _register(unmoved_by_resets, 6, "TimeWaitReset: a RST does not end TIME-WAIT (RFC 1337).")
    else:
        _register(challenged, 6, f"RFC 5961: RST in the window, SYN, RST before it, in {_name}.")
        _register(unsent_acknowledged, 4, f"UnaccSeqAck: an ACK behind SND.NXT, in {_name}.")
        _register(reset, 1, f"A RST that fits ends the connection, in {_name}.")
