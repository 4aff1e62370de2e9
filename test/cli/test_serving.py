# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`livevlm mcp` over a recording, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip('mcp')

from mcp import Client
from mcp.client.stdio import StdioServerParameters

MAIN = 'from livevlm_ros.cli import main; main()'
SERVED = re.compile(r'(http://[\d.]+:\d+)/mcp')
QUESTION = 'name the last thing you saw .'
WAIT_S = 120.0


@pytest.fixture(scope='module')
def bag(film: Path) -> Path:
    """Give a recording."""
    return sorted(folder for folder in film.iterdir() if folder.is_dir())[0]


class Served:
    """`livevlm mcp --http` over a recording; its stderr in a file."""

    def __init__(self, log: Path, *arguments: object) -> None:
        self._log = log
        command = [sys.executable, '-c', MAIN, 'mcp', '--http', '--port', '0']
        with log.open('w') as file:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=file, text=True
            )

    def said(self) -> str:
        """Return its stderr so far."""
        return self._log.read_text()

    def address(self) -> str:
        """Wait until it says where it listens."""
        deadline_s = time.monotonic() + WAIT_S
        while (found := SERVED.search(self.said())) is None:
            assert self.process.poll() is None and time.monotonic() < deadline_s, self.said()
            time.sleep(0.05)
        return found[1]


@pytest.fixture
def served(bag: Path, tmp_path: Path) -> Iterator[Served]:
    """Serve a recording."""
    server = Served(tmp_path / 'log', bag)
    yield server
    if server.process.poll() is None:
        server.process.kill()
    server.process.wait()


async def _looked_around(client: Client) -> dict[str, Any]:
    """Use every tool that looks; return what the last answer said."""

    async def call(tool: str, **given: Any) -> Any:
        result = await client.call_tool(tool, given)
        assert not result.is_error, result.content
        return result.structured_content

    state = await call('status')
    assert state['model'] and state['cameras'][0]['newest_s'] > 0 == state['oldest_s']
    held = await call('timeline')
    assert held['frames'][0]['stamp_s'] == 0.0
    newest_s = held['frames'][-1]['stamp_s']
    recalled = await call('recall', question=QUESTION, max_frames=1)
    picture = await client.read_resource(recalled['frames'][0]['uri'])
    assert picture.contents[0].mime_type == 'image/jpeg'
    sighting = await call('where', thing='the car')
    assert sighting['newest_s'] == newest_s and sighting['frame']['pose'] is None
    assert (await call('ask', question=QUESTION, as_of_s=2.0))['newest_s'] <= 2.0
    return await call('ask', question=QUESTION, budget_s=60)


@pytest.mark.slow
def test_an_agent_asks_about_a_recording_over_stdio(bag: Path) -> None:
    async def main() -> dict[str, Any]:
        server = StdioServerParameters(
            command=sys.executable, args=['-c', MAIN, 'mcp', str(bag)], env=dict(os.environ)
        )
        async with Client(server, read_timeout_seconds=WAIT_S) as client:
            return await _looked_around(client)

    assert anyio.run(main)['evidence']


@pytest.mark.slow
def test_ctrl_c_ends_a_server_that_reads_stdin(bag: Path) -> None:
    pipes = dict.fromkeys(('stdin', 'stdout', 'stderr'), subprocess.PIPE)
    command = [sys.executable, '-c', MAIN, 'mcp', str(bag)]
    with subprocess.Popen(command, **pipes, text=True) as server:
        assert server.stdin and server.stdout and server.stderr
        ping = {'jsonrpc': '2.0', 'id': 1, 'method': 'ping'}
        server.stdin.write(json.dumps(ping) + '\n')
        server.stdin.flush()
        assert json.loads(server.stdout.readline())['id'] == 1
        server.send_signal(signal.SIGINT)
        try:
            assert server.wait(WAIT_S) == 0
        finally:
            server.kill()
        assert server.stdout.read() == '' and 'Traceback' not in server.stderr.read()


@pytest.mark.slow
def test_agents_and_programs_ask_about_a_recording_over_http(served: Served) -> None:
    openai = pytest.importorskip('openai')
    address = served.address()

    async def main() -> dict[str, Any]:
        async with Client(f'{address}/mcp', read_timeout_seconds=WAIT_S) as client:
            return await _looked_around(client)

    told = anyio.run(main)
    with openai.OpenAI(base_url=f'{address}/v1', api_key='-') as client:
        (model,) = client.models.list()
        asked = {'model': model.id, 'messages': [{'role': 'user', 'content': QUESTION}]}
        whole = client.chat.completions.create(**asked)
        stream = client.chat.completions.create(**asked, stream=True)
        heard = ''.join(chunk.choices[0].delta.content or '' for chunk in stream)
    assert whole.choices[0].message.content == heard == told['answer']
    assert whole.usage.prompt_tokens > 0 < whole.usage.completion_tokens
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(WAIT_S) == 0
    out, _ = served.process.communicate()
    assert out == '' and 'Traceback' not in served.said()


@pytest.mark.slow
def test_other_machines_need_the_token_that_it_makes(
    bag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openai = pytest.importorskip('openai')
    monkeypatch.delenv('LIVEVLM_TOKEN', raising=False)
    server = Served(tmp_path / 'log', bag, '--host', '0.0.0.0')
    try:
        port = server.address().rpartition(':')[2]
        token = re.search(r'token: (\S+)', server.said())[1]
        url = f'http://127.0.0.1:{port}/v1'
        with openai.OpenAI(base_url=url, api_key=token) as client:
            assert list(client.models.list())
            with pytest.raises(openai.AuthenticationError):
                client.with_options(api_key='guess').models.list()
        server.process.terminate()
        assert server.process.wait(WAIT_S) == 0
    finally:
        server.process.kill()
        server.process.wait()


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (('nowhere.mp4',), 'nowhere.mp4: no such file or folder; expected a bag or a video'),
        (('a.mp4', '--camera', '0'), 'SOURCE a.mp4 and --camera 0: expected one of them'),
        (('a.mp4', '--namespace', 'robot1'), '--namespace robot1: expected for a running node'),
        (('--start', '0.5'), '--start 0.5: expected with SOURCE or --camera'),
        (('--duration', '9', '--start', '1'), '--start 1 --duration 9: expected with SOURCE or'),
        (('--port', '8080'), '--host 127.0.0.1 --port 8080: expected with --http'),
        (('--namespace', 'nobody'), 'no node serves /nobody/ask_stream after 5 s'),
    ],
)
def test_wrong_sources_are_refused(refused: Any, given: tuple[str, ...], expected: str) -> None:
    assert expected in refused('mcp', *given)


def test_a_port_in_use_is_told_before_anything_is_loaded(refused: Any, bag: Path) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        assert f'--port {port}: Address already in use' in refused(
            'mcp', bag, '--http', '--port', port
        )


def test_without_the_library_it_says_how_to_install_it(
    refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    assert "pip install 'livevlm_ros[mcp]'" in refused('mcp')
