# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page over real HTTP and WebSockets, without a browser."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

pytest.importorskip('rclpy')

from livevlm_ros.tools.view import server

PATIENCE_S = 60.0
VIEW = [sys.executable, '-c', 'from livevlm_ros.cli import main; main()', 'view']
HOSTILE = '<img src=x onerror=document.title="owned">'


def listened(node: Any) -> list[int]:
    """Return how many listen to each camera of a scripted node."""
    return [publisher.get_subscription_count() for publisher in node.images]


def test_an_answer_grows_and_ends_with_its_evidence(node, script, served, opened) -> None:
    async def talk() -> None:
        async with opened(served()) as page:
            await page.until(lambda told: told.get('node', {}).get('alive'))
            await page.ask(do='ask', question='what ?', budget=1.5, lookback=60, cameras=['front'])
            await asyncio.to_thread(said, 'dark')
            await page.until(lambda told: told.get('answer', {}).get('answer') == 'dark')
            script.said = 'dark red'
            await page.until(lambda told: told['answer']['answer'] == 'dark red')
            script.ended.set()
            answer = await page.until(lambda told: 'status' in told['answer'] and told['answer'])
            assert (answer['status'], answer['confidence']) == ('OK', 0.75)
            (found,) = answer['evidence']
            assert (found['camera'], found['stamp'], found['pose']) == ('front', 2.0, [1.5, 0, 0])
            assert found['picture'].startswith('data:image/jpeg;base64,/9j/')

    def said(text: str) -> None:
        script.said = text

    asyncio.run(talk())
    (goal,) = script.goals
    assert (goal.question, list(goal.cameras), goal.lookback.sec) == ('what ?', ['front'], 60)
    assert (goal.latency_budget.sec, goal.attach_evidence_images) == (1, True)


def test_a_cancel_keeps_what_was_said_and_so_does_leaving(
    node, script, served, opened, eventually
) -> None:
    async def talk() -> None:
        address = served()
        async with opened(address) as page:
            await page.until(lambda told: told.get('node', {}).get('alive'))
            await page.ask(do='ask', question='what ?')
            script.said = 'dark'
            await page.until(lambda told: told.get('answer', {}).get('answer'))
            await page.ask(do='cancel')
            answer = await page.until(lambda told: 'status' in told['answer'] and told['answer'])
            assert (answer['status'], answer['answer']) == ('CANCELED', 'dark')
            await page.ask(do='ask', question='and now ?')
            await page.until(lambda told: 'status' not in told['answer'])

    asyncio.run(talk())
    eventually(lambda: script.canceled == 2)


def test_ten_viewers_cost_the_node_no_more_than_one(node, script, served, opened) -> None:
    async def look() -> tuple[list[int], float]:
        address = served()
        async with AsyncExitStack() as stack:
            pages = [await stack.enter_async_context(opened(address)) for _ in range(10)]
            for page in pages:
                await page.until(lambda told: told.keys() >= {'picture/front', 'picture/left'})
            before, began_s = script.calls['query_timeline'], time.monotonic()
            await asyncio.sleep(4.5)
            rate = (script.calls['query_timeline'] - before) / (time.monotonic() - began_s)
            return listened(node), rate

    subscribed, asked_hz = asyncio.run(look())
    assert subscribed == [1, 1]
    assert 0 < asked_hz < 0.75  # one in two seconds


def test_cameras_are_listened_to_while_somebody_looks(
    node, script, served, opened, eventually
) -> None:
    async def look() -> None:
        async with opened(served()) as page:
            await page.until(lambda told: 'picture/left' in told)
            await page.ask(do='look', looks=False)  # the page is in the background
            await asyncio.to_thread(eventually, lambda: listened(node) == [0, 0])
            await page.ask(do='look', looks=True)
            await asyncio.to_thread(eventually, lambda: listened(node) == [1, 1])

    asyncio.run(look())
    eventually(lambda: listened(node) == [0, 0])


def test_a_node_that_goes_and_comes_back_is_told_of(
    script, scripted, served, opened, eventually
) -> None:
    async def look() -> None:
        async with opened(served()) as page:
            absent = await page.until(lambda told: told.get('node'))
            assert absent == {'alive': False, 'said': 'Looking for the node.'}
            await page.until(lambda told: 'no node serves /ask' in told['node']['said'])
            with scripted(script):
                await page.until(lambda told: told['node']['alive'] and 'picture/front' in told)
                await page.ask(do='ask', question='what ?')
                await page.until(lambda told: 'answer' in told)
            gone = await page.until(lambda told: not told['node']['alive'] and told['node'])
            assert gone['said'].startswith('The node is gone')
            await page.ask(do='ask', question='what ?')
            await page.until(lambda told: told['answer'].get('status') == 'ERROR')
            script.ended.clear()
            with scripted(script) as node:
                await page.until(lambda told: told['node']['alive'])
                await asyncio.to_thread(eventually, lambda: listened(node) == [1, 1])

    asyncio.run(look())


def test_while_there_is_no_memory_the_page_says_why(node, script, served, opened) -> None:
    script.closed_because = 'the model is loading'

    async def look() -> None:
        async with opened(served()) as page:
            await page.until(lambda told: told.get('survey') == 'the model is loading')
            assert page.told['info']['model'] == 'scripted'
            assert 'timeline' not in page.told
            script.closed_because = ''
            await page.until(lambda told: told.get('timeline') and not told['survey'])

    asyncio.run(look())


def test_watches_are_listed_added_and_removed(node, script, served, opened) -> None:
    async def look() -> None:
        async with opened(served()) as page:
            await page.until(lambda told: told.get('watches') == [])
            await page.ask(do='watch', question=HOSTILE, period=2)
            (watch,) = await page.until(lambda told: told['watches'])
            assert (watch['question'], watch['period']) == (HOSTILE, 2.0)
            await page.ask(do='unwatch', id=watch['id'])
            await page.until(lambda told: told['watches'] == [])
            await page.ask(do='unwatch', id='')
            assert 'id' in await page.until(lambda told: told.get('problem'))

    asyncio.run(look())


@pytest.mark.parametrize(
    ('request_', 'problem'),
    [
        ({'do': 'ask', 'question': ' '}, 'question: got none'),
        ({'do': 'ask', 'question': 9}, 'question: got none'),
        ({'do': 'ask', 'question': 'a' * 2001}, '2001 characters'),
        ({'do': 'ask', 'question': 'a', 'budget': -1}, 'budget: got -1'),
        ({'do': 'ask', 'question': 'a', 'budget': '1'}, "budget: got '1'"),
        ({'do': 'ask', 'question': 'a', 'cameras': 'front'}, "cameras: got 'front'"),
        ({'do': 'frame', 'key': '9@side'}, 'which is not kept'),
        ({'do': 'watch', 'question': 'a\ud83d'}, 'question: got half a character'),
        ({'do': 'fly'}, "do: got 'fly'"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_page_goes_on(
    node, served, opened, request_, problem
) -> None:
    async def talk() -> None:
        async with opened(served()) as page:
            await page.until(lambda told: told.get('node', {}).get('alive'))
            await page.ask(**request_)
            said = await page.until(
                lambda told: told.get('problem') or told.get('answer', {}).get('message')
            )
            assert problem in said
            await page.ask(do='frame', key='1@front')
            frame = await page.until(lambda told: told.get('frame'))
            assert (frame['camera'], frame['tiers']) == ('front', ['archive'])

    asyncio.run(talk())


def test_the_command_says_its_address_and_ends_quietly() -> None:
    # As launch starts it: with arguments for ROS behind its own.
    view = subprocess.Popen(
        [*VIEW, '--port', '0', '--ros-args', '-r', '__ns:=/'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert view.stdout is not None
    said = view.stdout.readline()
    assert said.startswith('livevlm view: http://localhost:')
    view.send_signal(signal.SIGINT)
    _, errors = view.communicate(timeout=PATIENCE_S)
    assert (view.returncode, errors) == (0, '')


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [*VIEW, '--host', '127.0.0.1', '--port', str(port)], capture_output=True, text=True
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f'livevlm: view: --host 127.0.0.1 --port {port}: ')
    assert ended.stderr.count('\n') == 1


@pytest.mark.parametrize(
    ('host', 'address', 'token', 'expected'),
    [
        ('localhost', '127.0.0.1', '', 'http://localhost:80/'),
        ('::1', '::1', '', 'http://[::1]:80/'),
        ('10.0.0.7', '10.0.0.7', 'abc', 'http://10.0.0.7:80/?token=abc'),
        ('0.0.0.0', '0.0.0.0', 'abc', f'http://{socket.gethostname()}:80/?token=abc'),
    ],
)
def test_the_address_is_what_a_browser_opens(host, address, token, expected) -> None:
    assert server.url(host, address, 80, token) == expected
