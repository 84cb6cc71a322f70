"""On the bench server: clients that are slow on purpose, until the time is up.

    slow.py PORT HOST SECONDS HEADERS UPLOADS

Each of HEADERS sends a byte of its request's headers a second and never ends them; each of UPLOADS announces a body of
100 KB and sends a byte of it a second. Who is hung up on comes back at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time


async def drip(port: int, first: bytes, until: float) -> None:
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            try:
                while time.monotonic() < until:
                    await writer.drain()
                    await asyncio.sleep(1)
                    writer.write(b"x")
            finally:
                writer.close()
        await asyncio.sleep(0.1)


async def main(port: int, host: str, seconds: float, headers: int, uploads: int) -> None:
    until = time.monotonic() + seconds
    start = f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ".encode()
    upload = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 102400\r\n\r\n".encode()
    await asyncio.gather(*[drip(port, first, until) for first in [start] * headers + [upload] * uploads])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
