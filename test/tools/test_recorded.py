# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The chat's own engine, over a few frames of the simulated street."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from livevlm_ros.engine.messages import (
    ANSWERED,
    BadFrame,
    Finish,
    Frame,
    NotDone,
    Pixels,
    Question,
    Status,
)
from livevlm_ros.engine.watch import Watch
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.street import StreetSource
from livevlm_ros.tools.camera_memory import Enough
from livevlm_ros.tools.recorded import Recorded

QUESTION = Question('name the last thing you saw .', attach_images=True)
FRAMES = 6
SECOND = 10**9
WAIT_S = 60.0


class ShortStreet:
    """The first frames of the street; `passed` is set after the last of them."""

    def __init__(self) -> None:
        self.path = Path('street')
        self.warnings: list[str] = []
        self.skipped: dict[str, int] = {}
        self.length = FRAMES
        self.passed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        yield from islice(StreetSource().frames(), FRAMES)
        self.passed.set()


def _no_pixels() -> Pixels:
    raise BadFrame('torn')


@pytest.fixture
def street() -> ShortStreet:
    return ShortStreet()


@pytest.fixture
def recorded(street) -> Iterator[Recorded]:
    with Recorded(engine_config(), street, lambda name, share: None) as recorded:
        yield recorded


def test_a_recording_is_read_whole_and_answers_grow(recorded) -> None:
    shares, heard = [], []
    assert recorded.read_in(lambda name, share: shares.append(share))
    assert shares[-1] == 1.0 and recorded.seen == '6 of 6 frames used, 5.0 s'
    answer = recorded.ask(QUESTION, heard.append)
    assert answer.status in (Status.OK, Status.NOT_SEEN)
    assert heard == sorted(heard, key=len) and answer.text.startswith(heard[-1])
    assert answer.evidence[0].thumbnail_jpeg and answer.latency.budget_ms == 0.0


def test_ctrl_c_ends_the_reading_between_two_frames(recorded) -> None:
    def press(name: str, share: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    assert not recorded.read_in(press)
    assert signal.getsignal(signal.SIGINT) is before
    assert recorded.seen.startswith('1 of 1 frames used')


def test_ctrl_c_ends_an_answer_and_not_the_chat(recorded) -> None:
    recorded.read_in(lambda name, share: None)

    def press(so_far: str) -> None:
        raise KeyboardInterrupt

    assert recorded.ask(QUESTION, press).status in (Status.CANCELED, Status.OK)
    assert recorded.ask(QUESTION, lambda so_far: None).text


def test_who_hears_enough_ends_the_answer(recorded) -> None:
    recorded.read_in(lambda name, share: None)

    def hear(so_far: str) -> None:
        raise Enough

    answer = recorded.ask(replace(QUESTION, temperature=5.0, max_tokens=512), hear)
    assert answer.status is Status.CANCELED and answer.finish is Finish.CANCELED


def test_a_budget_of_a_question_is_kept(recorded) -> None:
    recorded.read_in(lambda name, share: None)
    answer = recorded.ask(replace(QUESTION, budget_s=0.001), lambda so_far: None)
    assert answer.status is Status.DEADLINE and answer.latency.budget_ms == 1.0
    assert recorded.recall(replace(QUESTION, budget_s=0.001)).status is Status.DEADLINE


def test_programs_look_at_what_it_holds_watch_and_forget(recorded) -> None:
    recorded.read_in(lambda name, share: None)
    status = recorded.status()
    assert status.newest_ns == {'camera': 6 * SECOND} and status.oldest_ns == SECOND
    assert (status.preset, status.paused) == ('balanced', False)
    assert status.kept and status.usual_budget_s > 0 and status.device_bytes > 0
    found = recorded.recall(QUESTION)
    assert found.status in ANSWERED and not found.text and found.evidence[0].thumbnail_jpeg
    best = found.evidence[0]
    assert recorded.memory.frame(best.frame_key).stamp_ns == best.stamp_ns
    watch_id = recorded.watches.add(Watch(QUESTION.text, every_frames=1))
    assert [state.watch.watch_id for state in recorded.watches.list()] == [watch_id]
    freed = recorded.memory.forget(time_end_ns=best.stamp_ns)
    assert freed.frames >= 1
    with pytest.raises(NotDone, match='which is no frame'):
        recorded.memory.frame(best.frame_key)


def test_a_live_source_goes_on_beside_the_questions(recorded, street) -> None:
    recorded.go_along(paced=False)
    assert recorded.ask(QUESTION, lambda so_far: None).evidence
    assert street.passed.wait(WAIT_S)


def test_a_paced_source_goes_by_its_stamps(recorded, street) -> None:
    recorded.go_along(paced=True)
    assert not street.passed.is_set()  # five seconds of stamps are to come
    assert recorded.seen.startswith('1 of 1 frames')


@pytest.mark.parametrize('live', [False, True])
def test_a_source_without_a_good_frame_is_refused_with_the_cause(
    recorded, street, monkeypatch, live: bool
) -> None:
    frames = [Frame('camera', second * 10**9, _no_pixels) for second in (1, 2, 3)]
    monkeypatch.setattr(street, 'frames', lambda: iter(frames))
    with pytest.raises(BadInput, match='street: no frame can be used: .*torn'):
        if live:
            recorded.go_along(paced=False)
        else:
            recorded.read_in(lambda name, share: None)
