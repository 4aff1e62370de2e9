# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stream of which the language layers read what is new: `ingest.skip_static`, end to end."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from livevlm_ros.engine import Engine, Frame, Question
from livevlm_ros.memory import MemoryConfig

SHADES = 4


def _frame(second: float, left: int, right: int, camera: str = 'front') -> Frame:
    """Return an image with a shade on each side, each of `SHADES`."""
    pixels = np.empty((8, 8, 3), np.uint8)
    pixels[:, :4], pixels[:, 4:] = left, right
    return Frame(camera, round(second * 1e9), pixels)


@pytest.fixture
def read(model, monkeypatch) -> list[int]:
    """Give each shade of each side an embedding of its own; note how many tokens steps read."""

    def encode(images, seconds=None):
        shades = torch.tensor([[int(image[0, side, 0]) for side in (0, 7)] for image in images])
        return one_hot(shades % SHADES + torch.tensor([0, SHADES]), 2 * SHADES).float()

    counts: list[int] = []
    send = model.read
    model.image = slice(0, 2)
    monkeypatch.setattr(model, 'encode_frames', encode)
    monkeypatch.setattr(model, 'read', lambda x, view: counts.append(len(x)) or send(x, view))
    return counts


@pytest.fixture
def engine(make_engine, read) -> Engine:
    made = make_engine(
        cameras=('front', 'rear'),
        target_fps=1000.0,
        skip_static='tokens',
        gate_heartbeat_s=100.0,
        memory=MemoryConfig('balanced', short_term_frames=4),
    )
    made.load()
    read.clear()
    return made


def _see(engine: Engine, *frames: Frame) -> None:
    for frame in frames:
        engine.see(frame)
    assert engine.turn()


def _account(engine: Engine, camera: str = 'front') -> tuple[int, int, int]:
    account = engine.stats().cameras[camera]
    assert account.frames_in == account.frames_used + account.dropped.total + account.waiting
    return account.frames_used, account.dropped.gate, account.dropped.bad


def test_two_thousand_frames_of_a_parked_camera_cost_one_a_heartbeat(engine, read):
    for second in range(1, 2001):
        _see(engine, _frame(second, 1, 2))
    assert _account(engine) == (20, 1980, 0)
    assert read == [2] * 20
    assert engine.stats().memory.frames == 20
    assert engine.stats().tokens.share_read == 20 / 2000


def test_of_a_frame_with_something_new_that_alone_is_read_and_all_of_it_is_kept(engine, read):
    _see(engine, _frame(1, 1, 2))
    for second in range(2, 10):
        _see(engine, _frame(second, 1, second % 2))
    assert read == [2] + [1] * 8
    assert _account(engine) == (9, 0, 0)
    sizes = engine.stats().memory
    assert sizes.short_term_tokens + sizes.archive_tokens == 9 * 2
    evidence = engine.ask_now(Question('what ?', max_evidence=20)).evidence
    assert evidence and {frame.stamp_ns for frame in evidence} <= {n * 10**9 for n in range(1, 10)}
    assert engine.ask_now(Question('now ?')).newest_stamp_ns == 9 * 10**9


def test_a_frame_with_something_new_is_read_whole_where_only_frames_are_skipped(make_engine, read):
    engine = make_engine(cameras=('front',), target_fps=1000.0, skip_static='frames')
    engine.load()
    read.clear()
    for second, shade in enumerate([1, 1, 2, 2, 2], start=1):
        _see(engine, _frame(second, shade, 0))
    assert read == [2, 2] and _account(engine) == (2, 3, 0)


def test_a_camera_with_nothing_new_leaves_the_step_to_the_others(engine, read):
    _see(engine, _frame(1, 1, 2), _frame(1, 3, 3, 'rear'))
    _see(engine, _frame(2, 1, 2), _frame(2, 3, 0, 'rear'))
    assert read == [4, 1]
    assert _account(engine) == (1, 1, 0) and _account(engine, 'rear') == (2, 0, 0)
    _see(engine, _frame(3, 0, 2), _frame(3, 3, 0, 'rear'))
    assert read == [4, 1, 1]
    assert _account(engine) == (2, 1, 0) and _account(engine, 'rear') == (2, 1, 0)


def test_what_is_forgotten_is_read_anew(engine, read):
    _see(engine, _frame(1, 1, 2))
    engine.clear()
    _see(engine, _frame(2, 1, 2))
    assert read == [2, 2]
    engine.memory.forget(['rear'])
    _see(engine, _frame(3, 1, 2))
    assert read == [2, 2, 2]


def test_a_step_that_failed_is_not_what_the_next_frame_is_compared_with(
    engine, read, model, monkeypatch
):
    _see(engine, _frame(1, 1, 2))
    with monkeypatch.context() as broken:
        broken.setattr(model, 'read', lambda x, view: 1 / 0)
        _see(engine, _frame(2, 3, 2))
    assert _account(engine) == (1, 0, 1)
    _see(engine, _frame(3, 3, 2))
    assert read == [2, 1] and _account(engine) == (2, 0, 1)


def test_what_a_step_may_take_is_learned_from_those_that_read_all(engine, read):
    cost = engine._loop.parts.costs.step
    _see(engine, _frame(1, 1, 2), _frame(1, 1, 2, 'rear'))
    cost.value = 60.0
    _see(engine, _frame(2, 1, 3))
    _see(engine, _frame(3, 2, 3), _frame(3, 1, 2, 'rear'))
    assert read == [4, 1, 1] and cost.value == 60.0
    _see(engine, _frame(200, 2, 3))
    assert read == [4, 1, 1, 2] and cost.value < 60.0


def test_a_step_that_reads_a_part_and_takes_longer_than_usual_counts(engine, read):
    cost = engine._loop.parts.costs.step
    _see(engine, _frame(1, 1, 2))
    cost.value = 1e-9
    _see(engine, _frame(2, 1, 3))
    assert read == [2, 1] and cost.value > 1e-9


def test_what_is_off_reads_every_token(make_engine, read):
    engine = make_engine(cameras=('front',), target_fps=1000.0)
    engine.load()
    read.clear()
    for second in range(1, 6):
        _see(engine, _frame(second, 1, 2))
    assert read == [2] * 5
    assert engine.stats().tokens.share_read == 1.0
