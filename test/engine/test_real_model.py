# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The engine over a real model: the embedded architecture with random weights."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from livevlm_ros.engine import Answer, Engine, EngineConfig, Frame, Latency, Question, Status
from livevlm_ros.engine.budget import RESERVE_S
from livevlm_ros.memory import PRESETS, MemoryConfig, ReadFilter
from livevlm_ros.memory.snapshot import has_snapshot
from livevlm_ros.model import ModelConfig
from livevlm_ros.training.checkpoint import build_model, save_checkpoint

ASKED = 'what color was the truck ?'

SMALL = {
    'recent': MemoryConfig('recent', short_term_frames=4),
    'full': MemoryConfig('full'),
    'rekv': MemoryConfig('rekv', short_term_frames=4, retrieval_frames=6),
    'livevlm': MemoryConfig(
        'livevlm', short_term_frames=4, long_term_frames=8, retrieval_frames=3
    ),
    'balanced': MemoryConfig(
        'balanced', short_term_frames=4, long_term_frames=4, retrieval_frames=6
    ),
}
"""Each preset with few frames, so that 16 overflow what has a bound."""


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('random')
    save_checkpoint(build_model(seed=5), folder)
    return folder


@pytest.fixture
def make_real(checkpoint: Path) -> Iterator[Callable[..., Engine]]:
    engines = []

    def make(path: str = str(checkpoint), **settings) -> Engine:
        config = EngineConfig(model=ModelConfig(path=path), threads=1, **settings)
        engines.append(Engine(config))
        engines[-1].load()
        return engines[-1]

    yield make
    for engine in engines:
        engine.cleanup()


def _image(number: int) -> Frame:
    noise = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Frame('camera', number * 10**9, noise.repeat(20, axis=0).repeat(20, axis=1))


def _watch(engine: Engine, count: int) -> None:
    for number in range(1, count + 1):
        engine.see(_image(number))
        assert engine.turn()


def _said(answer: Answer) -> Answer:
    """Leave out what differs between two runs that say the same."""
    return replace(answer, latency=Latency(), request_id='')


def test_two_runs_say_the_same(make_real):
    def run() -> list[Answer]:
        engine = make_real()
        _watch(engine, 20)
        questions = [
            Question(ASKED, max_tokens=8),
            Question(ASKED, max_tokens=8, temperature=0.9),
            Question('is there a bus ?', max_tokens=8),
        ]
        return [_said(engine.ask_now(question)) for question in questions]

    assert run() == run()


@pytest.mark.parametrize('preset', PRESETS)
def test_asking_does_not_change_the_memory(make_real, preset):
    engine = make_real(memory=SMALL[preset])
    _watch(engine, 16)
    held = engine.stats().memory
    first = engine.ask_now(Question(ASKED, max_tokens=8))
    for _ in range(3):
        engine.ask_now(Question('is there a bus ?', temperature=1.0, max_tokens=8))
    assert _said(engine.ask_now(Question(ASKED, max_tokens=8))) == _said(first)
    assert replace(engine.stats().memory, read_bytes=held.read_bytes) == held


@pytest.mark.parametrize('preset', PRESETS)
def test_steps_between_tokens_do_not_change_the_answer(make_real, preset):
    """A question is answered over the memory as of its start, also while old frames leave it."""
    alone = make_real(memory=SMALL[preset])
    _watch(alone, 16)
    expected = alone.ask_now(Question(ASKED, max_tokens=64))

    engine = make_real(memory=SMALL[preset], max_blind_ms=1.0, target_fps=1000.0)
    _watch(engine, 16)
    engine.start()
    before = engine.stats().frames_used
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(engine.ask, Question(ASKED, max_tokens=64, unlimited=True))
        while engine.stats().busy_with == 'idle' and not asked.done():
            time.sleep(0.0005)
        number = 16
        while not asked.done():
            number += 1
            engine.see(_image(number))
            time.sleep(0.002)
        answer = asked.result()
    assert answer.latency.ingest_wait_ms > 0 and engine.stats().frames_used > before
    assert _said(answer) == _said(expected)


def test_the_ring_costs_the_same_bytes_for_ever(make_real):
    engine = make_real()
    _watch(engine, 17)
    engine.ask_now(Question(ASKED, max_tokens=4))
    before = engine.stats().memory
    for number in range(18, 60):
        engine.see(_image(number))
        engine.turn()
    engine.ask_now(Question(ASKED, max_tokens=512))
    after = engine.stats().memory
    assert (after.device_bytes, after.read_bytes) == (before.device_bytes, before.read_bytes)
    assert after.evictions == 59 - 16


@pytest.mark.slow
def test_what_retrieval_costs_is_known_before_the_first_question(make_real):
    def known_and_taken_s() -> tuple[float, float]:
        engine = make_real('embedded', memory=MemoryConfig('balanced'))
        _watch(engine, 100)
        parts = engine._loop.parts
        known = parts.costs.retrieval_s(ReadFilter(), parts.memory.pages_to_rank)
        return known, engine.ask_now(Question(ASKED)).latency.retrieval_ms / 1e3

    quotients = [known / taken for known, taken in (known_and_taken_s() for _ in range(3))]
    assert 1 / 3 < median(quotients) < 3, quotients


def test_words_the_model_does_not_know_are_named_with_examples_it_knows(make_real):
    answer = make_real().ask_now(Question('where is the zebra ?'))
    assert answer.status is Status.INVALID
    assert "'zebra'" in answer.message and 'such as "' in answer.message


def test_a_reply_never_comes_after_its_budget(make_real):
    """Ask hundreds of questions; a bare timer tells how late this machine wakes threads."""
    engine = make_real(target_fps=10.0)
    _watch(engine, 1)
    engine.start()
    stop, worst_wake_s = threading.Event(), [0.0]

    def film() -> None:
        for number in range(10, 10**6):
            if stop.wait(0.03):
                return
            engine.see(replace(_image(2), stamp_ns=number * 10**8))

    def sleep_and_look() -> None:
        while not stop.is_set():
            began = time.monotonic()
            threading.Event().wait(0.01)
            worst_wake_s[0] = max(worst_wake_s[0], time.monotonic() - began - 0.01)

    def ask(seed: int) -> list[tuple[Answer, float, float]]:
        draw, replies = random.Random(seed), []
        for _ in range(70):
            question = Question(
                ASKED,
                budget_s=draw.choice([0.001, 0.1, 0.3, 1.0]),
                max_tokens=draw.choice([1, 4, 64]),
                allow_partial=draw.random() < 0.7,
            )
            sent = time.monotonic()
            answer = engine.ask(question)
            replies.append((answer, time.monotonic() - sent, question.budget_s))
        return replies

    around = [threading.Thread(target=film), threading.Thread(target=sleep_and_look)]
    for thread in around:
        thread.start()
    with ThreadPoolExecutor(3) as pool:
        replies = [reply for replies in pool.map(ask, range(3)) for reply in replies]
    stop.set()
    for thread in around:
        thread.join()
    noise_s = max(0.0, worst_wake_s[0] - RESERVE_S)
    late = [
        (answer.status.name, round(took * 1e3), budget)
        for answer, took, budget in replies
        if took > max(budget, RESERVE_S) + noise_s
    ]
    assert not late, f'a bare timer woke {worst_wake_s[0] * 1e3:.0f} ms late at worst'
    assert len(replies) == 210
    statuses = {answer.status for answer, _, _ in replies}
    assert not statuses & {Status.ERROR, Status.NOT_ACTIVE, Status.INVALID, Status.NO_EVIDENCE}
    assert statuses & {Status.OK, Status.PARTIAL}


@pytest.mark.slow
def test_a_life_lived_twenty_times_costs_no_memory(make_real):
    def resident_mib() -> float:
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        return pages * 4096 / 2**20

    engine = make_real()
    sizes = []
    for _ in range(20):
        engine.load()
        engine.start()
        engine.see(_image(1))
        engine.ask(Question(ASKED, unlimited=True))
        engine.stop()
        engine.start()
        engine.cleanup()
        sizes.append(resident_mib())
    assert sizes[-1] - sizes[4] < 20, sizes


LIFE = """
import hashlib, sys
import numpy as np
from livevlm_ros.engine import Engine, EngineConfig, Frame, MemoryConfig, Question

folder, frames = sys.argv[1], int(sys.argv[2])
memory = MemoryConfig(preset='balanced', short_term_frames=4, long_term_frames=16, path=folder)
engine = Engine(EngineConfig(memory=memory, snapshot=True, threads=1))
engine.load()
for number in range(1, frames + 1):
    noise = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    engine.see(Frame('camera', number * 10**9, noise.repeat(20, axis=0).repeat(20, axis=1)))
    assert engine.turn()
for text in ('what color was the truck ?', 'is there a bus ?', 'is there a red car now ?'):
    said = engine.ask_now(Question(text, max_tokens=8, max_evidence=9, attach_images=True))
    print(said.status.name, said.text, said.newest_stamp_ns)
    for seen in said.evidence:
        jpeg = hashlib.sha256(seen.thumbnail_jpeg).hexdigest()
        print(seen.frame_key, seen.source.name, seen.score.hex(), bool(seen.thumbnail_jpeg), jpeg)
print('archived', engine.stats().memory.archive_tokens)
engine.cleanup()
"""


def test_a_new_process_answers_from_the_snapshot_bit_for_bit(tmp_path):
    """The packaged weights, in two processes: one sees and saves, the other has seen nothing."""

    def told(frames: int) -> list[str]:
        command = [sys.executable, '-c', LIFE, str(tmp_path), str(frames)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split(
            '\n'
        )

    first = told(40)
    assert has_snapshot(tmp_path)
    assert told(0) == first
    assert sum('LONG_TERM' in line and 'True' in line for line in first) > 9
    assert 'archived 0' not in first


def test_messages_come_without_torch():
    check = 'import sys, livevlm_ros.engine; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', check], check=False).returncode == 0
