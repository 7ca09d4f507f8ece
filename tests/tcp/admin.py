"""The admin sockets of the nodes, from inside an event loop."""
import asyncio
import json

_SESSIONS = 24  # requests that may be under way at a time, for each node


class Admin:
    """One node's: requests on connections that stay, and its events."""

    def __init__(self, path):
        self._path = path
        self._idle = asyncio.Queue()
        for _ in range(_SESSIONS):
            self._idle.put_nowait(None)

    async def post(self, path, **body):
        """(status, answer)"""
        text = json.dumps(body).encode()
        return await self._ask(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: migd\r\n"
                               b"Content-Length: %d\r\n\r\n%s" % (len(text), text))

    async def get(self, path):
        return await self._ask(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: migd\r\n\r\n")

    async def _ask(self, request):
        session = await self._idle.get()
        try:
            if session is None or session[0].at_eof():  # it ends sessions that are idle
                session = await asyncio.open_unix_connection(self._path)
            reader, writer = session
            writer.write(request)
            status = int((await reader.readline()).split()[1])
            size = 0
            while (line := (await reader.readline()).strip()):
                name, value = line.split(b":", 1)
                if name.lower() == b"content-length":
                    size = int(value)
            return status, (await reader.readexactly(size)).decode()
        except BaseException:
            session = None  # what is on it now is nobody's answer
            raise
        finally:
            self._idle.put_nowait(session)

    async def events(self, *wanted):
        """Yields the events of these names, for ever; and first, that it watches."""
        reader, writer = await asyncio.open_unix_connection(self._path, limit=1 << 20)
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: migd\r\n\r\n")
        markers = [f'"event":"{name}"'.encode() for name in ("watching", *wanted)]
        while line := await reader.readline():
            if b'"events_dropped"' in line:
                raise RuntimeError(f"too slow for the events: {line!r}")
            if any(marker in line for marker in markers):
                yield json.loads(line)
