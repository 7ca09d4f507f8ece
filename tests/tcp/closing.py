"""How connections end (RFC 9293 3.6)."""
from cases import case
from conn import PLAIN
from states import get, reach
from wire import after, ramp


async def hear_the_rest(c):
    """Behind CLOSE-WAIT: the window opens, what waited comes, and the server's FIN."""
    c.window = 60000
    await c.send("A")
    await c.receive(10)
    await c.expect_end()


@case(steps=6)
async def client_closes_first(c):
    """The FIN is acknowledged, what was written before it is sent, and then the server's FIN."""
    await c.connect()
    await c.send("FPA", ramp(5000)[:c.peer.mss - 12])
    await c.receive(c.peer.mss - 12)
    await c.expect_end()
    await c.send("A")
    await c.expect_gone()


@case(steps=5, app="files")
async def half_closed(c):
    """RFC 9293 3.6, case 2: after the client's FIN the server sends all it has."""
    await c.connect()
    await c.send("FPA", b"GET /large HTTP/1.0\r\n\r\n")
    got = await c.receive_to_end()
    assert got.endswith(ramp(200_000)), f"{len(got)} bytes"
    c.withheld = 0
    await c.send("A")


@case(steps=12, app="files")
async def server_closes_first(c):
    """FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT: and there the client's FIN is acknowledged each time."""
    await reach(c, "time_wait")
    for _ in range(2):
        await c.send("FA", seq=c.snd_nxt - 1)
        await c.expect()
    await c.expect_nothing()


@case(steps=9, app="files")
async def fin_of_both_at_once(c):
    """simultaneous_close: FINs that cross; each is acknowledged, and TIME-WAIT follows."""
    await get(c)
    await c.send("FA")
    await c.expect()
    c.withheld = 0
    await c.send("A")
    await c.send("FA", seq=c.snd_nxt - 1)
    await c.expect()


@case(steps=9, app="files")
async def fin_acknowledges_fin(c):
    """fin_wait_1: the client's FIN may acknowledge the server's; then TIME-WAIT follows at once."""
    await get(c)
    c.withheld = 0
    await c.send("FA")
    await c.expect()
    await c.send("FA", seq=c.snd_nxt - 1)
    await c.expect()
    await c.expect_nothing(1.5)


@case(steps=9, app="files")
async def fin_wait_2_lasts(c):
    """fin_wait_2: the client may take its time, and is heard."""
    await get(c)
    c.withheld = 0
    await c.send("A")
    await c.pause(2)
    await c.expect_nothing()
    await c.send("FA")
    await c.expect()


@case(steps=14)
async def repeated_fin_in_close_wait(c):
    """A FIN that comes again draws an ACK again, while the server has data to send."""
    await reach(c, "close_wait")
    for _ in range(2):
        await c.send("FA", seq=c.snd_nxt - 1)
        await c.expect()
    await hear_the_rest(c)
    await c.send("A")


@case(steps=11)
async def data_behind_the_fin(c):
    """RFC 9293 3.10.7.4: what follows the client's FIN is not taken."""
    await reach(c, "close_wait")
    await c.send("A", ramp(10, 10), seq=c.snd_nxt)
    await c.expect_no_reset()
    await hear_the_rest(c)


@case(steps=7)
async def last_ack_ends(c):
    """LAST-ACK: the ACK of the FIN ends all; another FIN before it draws an ACK
    (last_ack_duplicate_ack)."""
    await reach(c, "last_ack")
    await c.send("FA", seq=c.snd_nxt - 1)
    await c.expect()
    c.withheld = 0
    await c.send("A")
    await c.expect_gone()


@case(steps=5)
async def fin_at_a_closed_window(c):
    """zero_window_fin: a FIN needs no window; behind data that waits it waits as well."""
    c.window = 0
    await c.connect()
    await c.send("FA")
    await c.expect_end()
    await c.send("A")


@case(steps=11)
async def fin_behind_data_at_a_closed_window(c):
    """zero_window_fin: the data first, when the window opens."""
    await reach(c, "close_wait")
    await c.expect_nothing()
    await hear_the_rest(c)
    await c.send("A")


@case(steps=4, app="source", options=PLAIN)
async def reset_in_the_middle(c):
    """A RST ends a connection that has much in flight; nothing comes after it."""
    await c.connect()
    await c.receive(5 * c.mss, acks=False)
    await c.send("R")
    c.over()
    await c.receive_rest()
    await c.expect_nothing(1.5)
