# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watches beside people and cameras: on the embedded model in its world, and against the clock."""

import threading
import time
from statistics import median

import numpy as np
import pytest

from livevlm_ros.engine import Engine, EngineConfig, Frame, Question, Status
from livevlm_ros.engine.watch import Reason, Watch
from livevlm_ros.world import World

ASKED = 'what color was the last traffic light ?'
STREAM = 90_300_002  # many lights of several colors pass
SECONDS = 90


@pytest.mark.slow
def test_events_are_the_changes_of_what_a_person_is_told():
    world, engine = World(STREAM, float(SECONDS)), Engine(EngineConfig(target_fps=1000.0))
    engine.load()
    answers, events = [], []
    try:
        engine.watches.add(Watch(ASKED, every_frames=1))
        for second in range(SECONDS):
            engine.see(Frame('camera', (1000 + second) * 10**9, world.image(second, (320, 240))))
            while engine.turn():
                pass
            engine.watches._rest_until_s = 0.0  # as if the next frame came a second later
            engine.turn()
            answers.append(engine.ask_now(Question(ASKED, temperature=0.0)).text)
            events += engine.watches.take_events()[0]
    finally:
        engine.cleanup()
    changes = [
        (1000 + second, answer)
        for second, answer in enumerate(answers)
        if not second or answer != answers[second - 1]
    ]
    assert 2 < len(changes) < SECONDS / 2
    assert [(event.stamp_ns // 10**9, event.answer) for event in events] == changes
    assert [event.reason for event in events][:2] == [Reason.FIRST, Reason.CHANGED]
    assert all(event.evidence for event in events)


@pytest.mark.slow
def test_people_and_cameras_do_not_notice_two_watches(make_engine, model, until):
    model.step_s, model.prefill_s, model.token_s = 0.01, 0.02, 0.01
    engine = make_engine(target_fps=1000.0)
    engine.load()
    engine.start()
    stop, stamp_ns = threading.Event(), [10**9]

    def film() -> None:
        while not stop.wait(0.1):
            stamp_ns[0] += 10**8
            engine.see(Frame('camera', stamp_ns[0], np.zeros((48, 64, 3), np.uint8)))

    def lived_through(questions: int = 15) -> tuple[float, float]:
        """Return the median seconds that a person waits, and the share of frames used."""
        before, waits = engine.stats(), []
        for _ in range(questions):
            time.sleep(0.6)  # a person thinks; the watches have their rounds meanwhile
            began_s = time.monotonic()
            answer = engine.ask(Question('is it red ?', budget_s=20.0))
            assert answer.status is Status.OK
            waits.append(time.monotonic() - began_s)
        after = engine.stats()
        seen = after.frames_in - before.frames_in
        return median(waits), (after.frames_used - before.frames_used) / seen

    filming = threading.Thread(target=film)
    filming.start()
    try:
        until(lambda: engine.stats().frames_used > 2)
        alone_s, used_alone = lived_through()
        engine.watches.add(Watch('is it here ?', every_frames=1))
        engine.watches.add(Watch('is it gone ?', period_s=0.2))
        watched_s, used_watched = lived_through()
        states = engine.watches.list()
    finally:
        stop.set()
        filming.join()
    assert all(state.rounds for state in states)
    assert watched_s < 1.25 * alone_s + 0.05
    assert used_watched > used_alone - 0.1
