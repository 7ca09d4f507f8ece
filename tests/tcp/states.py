"""How a client brings a connection into each state behind ESTABLISHED, and keeps it there."""
import dataclasses

from wire import ramp

PAYLOAD = b"x" * 100


@dataclasses.dataclass(frozen=True)
class State:
    app: str
    steps: int  # on the way


# The server closes first: files, after an answer to a client of HTTP/1.0. It closes second: echo,
# once all has been sent back, and before that it is in CLOSE-WAIT.
STATES = {
    "close_wait": State("echo", 6),
    "last_ack": State("echo", 4),
    "fin_wait_1": State("files", 4),
    "fin_wait_2": State("files", 5),
    "closing": State("files", 6),
    "time_wait": State("files", 7),
}


async def reach(c, name):
    await getattr(_Ways, name)(c)


async def get(c):
    """The server has answered, and closed; all but its FIN is acknowledged."""
    await c.connect()
    await c.send("PA", b"GET /small HTTP/1.0\r\n\r\n")
    await c.receive_to_end()


class _Ways:
    @staticmethod
    async def close_wait(c):
        c.window = 0
        await c.connect()
        await c.send("PA", ramp(10))
        await c.expect()
        await c.send("FA")
        await c.expect()

    @staticmethod
    async def last_ack(c):
        await c.connect()
        await c.send("FA")
        await c.expect_end()
        c.withheld = 1

    @staticmethod
    async def fin_wait_1(c):
        await get(c)

    @staticmethod
    async def fin_wait_2(c):
        await get(c)
        c.withheld = 0
        await c.send("A")

    @staticmethod
    async def closing(c):
        await get(c)
        await c.send("FA")
        await c.expect()

    @staticmethod
    async def time_wait(c):
        await _Ways.fin_wait_2(c)
        await c.send("FA")
        await c.expect()
