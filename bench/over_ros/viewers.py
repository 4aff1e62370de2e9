# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Viewers of the page in a process of their own: they fetch its files and hear what it hears.

They come and go by the lines on standard input, and each time say in a line what they saw.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError

from websockets.asyncio.client import ClientConnection, connect

from livevlm_ros.tools.view.server import FILES
from livevlm_ros.tools.view.viewers import PICTURE

COME, GO = 'come', 'go'
START_S = 60.0
PICTURED = f'{{"about": "{PICTURE}'
"""What a message of a picture begins with: a browser would read on, which is not its server's."""


class Viewers:
    """What the process is told and tells."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def come(self) -> None:
        """Open the page, all of them."""
        self._say(COME)

    def go(self) -> list[int]:
        """Close it; returns how many pictures each has got."""
        return self._say(GO)

    def _say(self, word: str) -> list[int]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f'{word}\n')
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError('the viewers have ended: see above')
        return list(json.loads(line))


@contextmanager
def viewers(count: int, address: str) -> Iterator[Viewers]:
    """
    Give viewers of a page, who are not there yet.

    :param address: of the page, such as http://localhost:8095
    """
    command = [sys.executable, '-m', __name__, str(count), address]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Viewers(process)


async def main(count: int, address: str) -> None:
    """Look and stop looking, as standard input says, to its end."""
    looking: list[asyncio.Task[int]] = []
    while word := (await asyncio.to_thread(sys.stdin.readline)).strip():
        pictures: list[int] = []
        if word == COME:
            await asyncio.to_thread(_fetch, address)
            looking = [asyncio.create_task(_look(await _open(address))) for _ in range(count)]
        else:
            for each in looking:
                each.cancel()
            pictures = list(await asyncio.gather(*looking))
        print(json.dumps(pictures), flush=True)


def _fetch(address: str) -> None:
    """Fetch the files of the page, as soon as it is served."""
    until_s = time.monotonic() + START_S
    for path in FILES:
        while True:
            try:
                with urllib.request.urlopen(address + path) as file:
                    file.read()
                break
            except URLError:
                if time.monotonic() > until_s:
                    raise
                time.sleep(0.1)


async def _open(address: str) -> ClientConnection:
    """Open the WebSocket of the page and say what the page says: that somebody looks."""
    socket = await connect(f'{address.replace("http", "ws", 1)}/live', max_size=None)
    await socket.send(json.dumps({'do': 'look', 'looks': True}))
    return socket


async def _look(socket: ClientConnection) -> int:
    """Hear everything until it is enough; returns the number of pictures."""
    pictures = 0
    try:
        async for message in socket:
            pictures += str(message).startswith(PICTURED)
    except asyncio.CancelledError:
        await socket.close()
    return pictures


if __name__ == '__main__':
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
