# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A process that films and is killed at random moments, again and again; embedded model.

`LIVEVLM_KILLS=100 python -m pytest -s test/engine/test_kills.py` kills more often than the suite.
"""

import itertools
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from livevlm_ros.engine import Engine, EngineConfig, Frame, Latency, MemoryConfig, Question
from livevlm_ros.world import World

KILLS = int(os.environ.get('LIVEVLM_KILLS', '5'))
SEED, SECONDS, SIZE = 7, 36_000, (160, 120)
SECOND = 10**9
FORGETS_EVERY, REMEMBERS = 50, 150  # frames: so few that no sketch is in the making as it ends
FRAME_S = 0.05
MOST_LOST_S = 10.0


def _engine(folder: Path, **settings) -> Engine:
    small = {'short_term_frames': 4, 'long_term_frames': 4, 'retrieval_frames': 8}
    memory = MemoryConfig('balanced', **small, path=str(folder))
    return Engine(EngineConfig(memory=memory, target_fps=1000.0, **settings))


def _frame(world: World, second: int) -> Frame:
    return Frame('camera', second * SECOND, world.image(second, SIZE))


def _forget_before(engine: Engine, second: int) -> None:
    """Forget what is old, if the time has come, before a second is seen."""
    if second % FORGETS_EVERY == 1 and second > REMEMBERS:
        engine.memory.forget(time_end_ns=(second - REMEMBERS) * SECOND)


def film(folder: Path, autosave_s: float) -> None:
    """Film on from the newest frame in memory, and print each second that is remembered."""
    world = World(SEED, SECONDS)
    with _engine(folder, snapshot=True, autosave_s=autosave_s) as engine:
        for second in itertools.count(_newest(engine) + 1):
            _forget_before(engine, second)
            used = engine.stats().frames_used
            engine.see(_frame(world, second))
            while engine.stats().frames_used == used:
                time.sleep(0.001)
            print(second, time.monotonic(), flush=True)
            time.sleep(FRAME_S)


def _newest(engine: Engine) -> int:
    frames, _ = engine.memory.timeline()
    return frames[-1].stamp_ns // SECOND if frames else 0


def _killed(folder: Path, draw: random.Random) -> tuple[dict[int, float], float]:
    """Let a process film and kill it; returns when it had seen which second, and was killed."""
    command = [sys.executable, __file__, str(folder), str(draw.choice((0.0, 0.2)))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        if draw.random() < 0.8:  # else it may be killed while it restores
            lines.append(process.stdout.readline())
        time.sleep(draw.uniform(0.0, 4.0))
        process.kill()
        killed_s = time.monotonic()
        lines += process.stdout.read().splitlines()
    seen = [line.split() for line in lines if len(line.split()) == 2]
    return {int(second): float(at_s) for second, at_s in seen}, killed_s


def _said(engine: Engine, world: World) -> list:
    """Ask; leave out what differs between two that say the same."""
    asked = [question.question for question in world.questions(count=6, at=(60.0, 90.0))]
    answers = [engine.ask_now(Question(text, max_evidence=8)) for text in asked]
    return [replace(answer, latency=Latency(), request_id='') for answer in answers]


@pytest.mark.slow
@pytest.mark.timeout(120 * KILLS)
def test_who_is_killed_loses_at_most_ten_seconds_and_says_the_same(tmp_path: Path) -> None:
    draw, world, folder = random.Random(1), World(SEED, SECONDS), tmp_path / 'memory'
    folder.mkdir()
    unhurt, known, longest_s, frames_lost = _engine(tmp_path), 0, 0.0, 0
    unhurt.load()
    for kill in range(KILLS):
        seen, killed_s = _killed(folder, draw)
        restored = _engine(shutil.copytree(folder, tmp_path / f'{kill}'), snapshot=True)
        restored.load()
        newest = _newest(restored)
        assert newest >= known
        longest_s = max(longest_s, killed_s - seen.get(newest, killed_s))
        frames_lost += max(0, max(seen, default=0) - newest)
        assert longest_s <= MOST_LOST_S
        for second in range(known + 1, newest + 1):
            _forget_before(unhurt, second)
            unhurt.see(_frame(world, second))
            assert unhurt.turn()
        if unhurt.stats().memory.frames > restored.stats().memory.frames:
            _forget_before(unhurt, newest + 1)
        assert restored.memory.timeline(attach_images=True) == unhurt.memory.timeline(
            attach_images=True
        )
        assert _said(restored, world) == _said(unhurt, world)
        restored.cleanup()
        shutil.rmtree(tmp_path / f'{kill}')
        known = newest
        print(
            f'{kill + 1} kills over {known} frames: {frames_lost} frames lost that had been seen, '
            f'killed {longest_s:.2f} s at most after the newest frame left',
            flush=True,
        )
    unhurt.cleanup()
    assert known > KILLS


if __name__ == '__main__':
    film(Path(sys.argv[1]), float(sys.argv[2]))
