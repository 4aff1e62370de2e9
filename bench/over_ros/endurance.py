# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Suite `endurance`: minutes of ordinary work, over ROS.

Two cameras publish 30 raw images a second, a standing question is asked every second, and a stream
is canceled every five. The callbacks stay short, every image is accounted for, and the node's
memory is flat once its archive has been filled. Viewers of the page, where there are any, come and
go by the minute: with them no step of the engine takes longer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import ceil
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from livevlm_bench.bars import bar, bar_words
from livevlm_bench.over_ros import timed
from livevlm_bench.over_ros.audience import Audience, audience, step_bar
from livevlm_bench.over_ros.process import resident_mb
from livevlm_bench.over_ros.street import CAMERA, SEEDS, Street, street
from livevlm_bench.report_head import head
from livevlm_interfaces.msg import Watch
from livevlm_interfaces.srv import AddWatch
from livevlm_ros.node.children import choose_domain
from livevlm_ros.node.conversions import to_duration

MINUTES, QUICK_MINUTES = 10.0, 0.5
STANDING = 'what color was the last traffic light ?'
EACH_S, STREAM_EVERY = 1.0, 5
ARCHIVE_BYTES = 3_000_000  # of two cameras, full after a minute or so
SETTLED_SHARE = 0.3  # of the run, after which memory may not grow
LOST_S = 20.0
MOST_CALLBACK_MS = 5.0
MOST_GROWTH = 1.05
MOST_SAMPLES = 600  # of the memory, in a report

Progress = Callable[[str, float], None]


def measure(
    *,
    minutes: float = MINUTES,
    viewers: int = 0,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Let a node work.

    :param minutes: how long
    :param viewers: of its page; 0: it has none
    :param progress: called with what goes on and the share done, [0, 1]
    """
    choose_domain(Console(stderr=True))
    parameters = {
        'memory.archive_host_bytes': ARCHIVE_BYTES,
        'diagnostics.window_s': min(600.0, max(10.0, 60.0 * minutes)),
    }
    seconds = 60.0 * minutes
    with ExitStack() as stack:
        steps = stack.enter_context(_steps_file())
        place = stack.enter_context(street(parameters, module=timed.__name__))
        watch = Watch(question=STANDING, period=to_duration(EACH_S))
        added = place.client.call(AddWatch, 'add_watch', AddWatch.Request(watch=watch))
        there = None
        if viewers:
            there = stack.enter_context(audience(viewers, place.children, seconds))
        streams, resident = _live(place, seconds, progress, there)
        page = there and there.report(list(timed.read_steps(steps)), rate=CAMERA['rate'])
        watched = place.values('watches')
        place.children.check()
        accounts = place.end()
    return {
        **head('endurance', seed=min(SEEDS.values()), threads=os.cpu_count() or 1),
        'minutes': minutes,
        'cameras': {name: account._asdict() for name, account in accounts.items()},
        'accounted': all(account.is_whole for account in accounts.values()),
        'rounds': int(watched.get(f'{added.watch_id}_rounds', 0)),
        'skipped': int(watched.get(f'{added.watch_id}_skipped', 0)),
        'streams': streams,
        'resident_mb': _thinned(resident),
        'page': page and {**page, 'resident_mb': _thinned(page['resident_mb'])},
        'bars': [
            *(
                bar(
                    f'callback p99, {name} / a millisecond',
                    account.callback_p99_ms,
                    1.0,
                    most=MOST_CALLBACK_MS,
                )
                for name, account in accounts.items()
            ),
            _flat('RSS', resident),
            *([step_bar(page), _flat('RSS of the page', page['resident_mb'])] if page else []),
        ],
    }


@contextmanager
def _steps_file() -> Iterator[Path]:
    """Give the file that the node writes its steps to."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / 'steps'
        os.environ[timed.STEPS] = str(file)
        yield file


def _flat(what: str, resident: list[float]) -> dict[str, Any]:
    """Judge how much a process has grown once it had settled."""
    settled = resident[round(SETTLED_SHARE * len(resident)) :]
    return bar(f'{what}, most / settled', max(settled), settled[0], most=MOST_GROWTH, unit='MB')


def _thinned(resident: list[float]) -> list[float]:
    """Return some of the samples, spread evenly, as a report keeps them."""
    return [round(mb, 1) for mb in resident[:: ceil(len(resident) / MOST_SAMPLES)]]


def _live(
    place: Street, seconds: float, progress: Progress, there: Audience | None = None
) -> tuple[dict[str, int], list[float]]:
    """Cancel a stream now and then; return what became of streams, and the memory each second."""
    streams, draw = {'canceled': 0, 'ended': 0, 'lost': 0}, Random(0)
    resident: list[float] = []
    began_s = time.monotonic()
    while (now_s := time.monotonic() - began_s) < seconds:
        if len(resident) % STREAM_EVERY == 0:
            streams[_cancel_one(place, draw)] += 1
        resident.append(resident_mb(place.node))
        if there is not None:
            there.look(now_s)
        place.children.check()
        progress('working', now_s / seconds)
        time.sleep(max(0.0, len(resident) * EACH_S - (time.monotonic() - began_s)))
    return streams, resident


def _cancel_one(place: Street, draw: Random) -> str:
    """Ask by stream and cancel it soon; the embedded model says few words, it may have ended."""
    camera, question = place.draw(draw)
    asked = place.client.stream(question.question, lambda heard: None, cameras=[camera])
    time.sleep(draw.uniform(0.0, 0.05))
    asked.cancel()
    result = asked.wait(LOST_S)
    if result is None:
        return 'lost'
    return 'canceled' if result.status == result.STATUS_CANCELED else 'ended'


def print_endurance(found: dict[str, Any], console: Console) -> None:
    """Print what came of the work."""
    for name, account in found['cameras'].items():
        line = (
            f'{name}: {account["received"]} images came, {account["frames_used"]} used, '
            f'{account["frames_dropped"]} dropped, {account["frames_waiting"]} wait; '
            f'callback p99 {account["callback_p99_ms"]:.2f} ms'
        )
        console.print(line, highlight=False)
    streams = ', '.join(f'{count} {what}' for what, count in found['streams'].items())
    lines = [
        f'images accounted for: {"yes" if found["accounted"] else "NO"}',
        f'standing question: {found["rounds"]} rounds, {found["skipped"]} skipped',
        f'streams: {streams}',
        *([] if found['page'] is None else _page_words(found['page'])),
        *(bar_words(each) for each in found['bars']),
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False)


def _page_words(page: dict[str, Any]) -> Iterator[str]:
    """Say how phases with viewers and without went, and which were left out."""
    yield from map(_phase_words, page['rows'])
    if page['left_out']:
        yield f'{page["left_out"]} of {page["phases"]} times without steps are left out'


def _phase_words(row: dict[str, Any]) -> str:
    """Say in a line how phases with viewers, or without, went."""

    def usual(name: str) -> float:
        return float(row[name]['p50'])

    words = [
        f'{row["viewers"]} viewers, {row["phases"]} times',
        f'step {usual("step_p50_ms"):.1f} ms (p99 {usual("step_p99_ms"):.1f})',
        f'{usual("used_per_s"):.2f} frames used a second',
        f'{row["images_lost"]} of {row["images_sent"]} images lost',
        f'{usual("pictures_per_viewer_s"):.1f} pictures a second to each',
        f'page {100 * usual("page_cpu_share"):.0f} % of a core',
    ]
    return ', '.join(words)
