# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from livevlm_ros.engine.messages import Answer, Evidence, Question, Status
from livevlm_ros.replay.masked import Masking, in_words, most_looked_at
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.recording_time import Moments

ENTRY = QuestionEntry(at=1.0, question='what color was the car ?')
QUESTION = Question(ENTRY.question)


def seen(second: int, score: float) -> Evidence:
    return Evidence('camera', second * 10**9, 'optical', f'camera/{second}', score)


class Looking:
    """An engine whose answer hangs on the frames of some seconds."""

    def __init__(self, evidence: list[Evidence], *, hangs_on: set[int]) -> None:
        self._evidence, self._hangs_on = evidence, hangs_on
        self.asked: list[Any] = []

    def ask_now(self, question: Question, *, reading: Any = None) -> Answer:
        self.asked.append(reading)
        gone = {ref.stamp_ns // 10**9 for ref in reading.without} if reading else set()
        text = 'never' if gone & self._hangs_on else 'red'
        return Answer(Status.OK, text=text, evidence=tuple(self._evidence))


def masked(engine: Any) -> dict[str, Any]:
    masking = Masking(engine)
    masking.ask(QUESTION, ENTRY, Moments())
    return masking.report()


def test_the_frames_that_hold_the_attention_are_taken_away_and_no_more():
    frames = [seen(3, 0.6), seen(4, 0.3), seen(9, 0.06), seen(8, 0.04)]
    assert most_looked_at(frames) == frames[:2]
    assert most_looked_at(frames[:1]) == frames[:1]


def test_an_answer_that_hangs_on_its_evidence_changes_without_it_alone():
    engine = Looking([seen(3, 0.95), seen(4, 0.03), seen(5, 0.02)], hangs_on={3})
    found = masked(engine)
    assert (found['n'], found['changed'], found['control_changed']) == (1, 1, 0)
    assert found['times'] is None and 'never without others' in in_words(found)
    assert [len(reading.without) for reading in engine.asked[1:]] == [1, 1]


def test_an_answer_that_hangs_on_other_frames_tells_on_the_evidence():
    found = masked(Looking([seen(3, 0.95), seen(4, 0.05)], hangs_on={4}))
    assert (found['changed'], found['control_changed'], found['times']) == (0, 1, 0.0)


@pytest.mark.parametrize('frames', [[], [seen(3, 1.0)]])
def test_without_other_frames_there_is_no_control_and_nothing_is_counted(frames):
    found = masked(Looking(frames, hangs_on={3}))
    assert found['n'] == 0 and found['rate'] is None
    assert 'no question had evidence' in in_words(found)


def test_the_answer_of_the_replay_is_the_one_with_all_frames():
    evidence = [seen(second, 0.25) for second in range(4)]
    answer = Masking(Looking(evidence, hangs_on={0})).ask(QUESTION, ENTRY, Moments())
    assert answer.text == 'red' and len(answer.evidence) == 3
