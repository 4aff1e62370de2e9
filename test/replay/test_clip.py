# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.replay.clip import WHOLE, Clip, Stretch
from livevlm_ros.replay.evaluate import evaluate
from livevlm_ros.replay.procedure import Procedure
from livevlm_ros.replay.source import open_source

QUESTIONS = """
- {id: early, at: 1, question: early}
- {id: told, at: 4, question: told, evidence: [0, 1]}
- {id: shown, at: 4, question: shown, evidence: [1, 3]}
- {id: late, at: 7, question: late}
"""


@pytest.mark.parametrize(
    ('stretch', 'seconds'),
    [
        (WHOLE, range(8)),
        (Stretch(2), range(2, 8)),
        (Stretch(2, 3), range(2, 5)),
        (Stretch(0, 2.5), range(3)),
        (Stretch(9), ()),
    ],
)
def test_the_frames_of_a_stretch_keep_their_stamps(make_bag, stretch, seconds) -> None:
    bag = make_bag()
    stamps = [frame.stamp_ns for frame in open_source(bag).frames()]
    clip = Clip(open_source(bag), stretch)
    assert [frame.stamp_ns for frame in clip.frames()] == [stamps[second] for second in seconds]
    assert clip.begins_late is (stretch.start_s > 0)


def test_a_source_is_read_no_further_than_the_stretch(make_bag, monkeypatch) -> None:
    read = []
    monkeypatch.setattr(
        'livevlm_ros.replay.bag.to_stamp_ns', lambda image: read.append(image) or 0
    )
    clip = Clip(open_source(make_bag()), Stretch(2, 3))
    assert len(list(clip.frames())) == 3
    assert len(read) == 6
    (warning,) = clip.warnings
    assert '6 frames on /camera/image_raw/compressed have stamp 0' in warning


def test_times_stay_those_of_the_recording_and_no_question_is_asked_in_vain(
    make_bag, engine
) -> None:
    engine.evidence_s['shown'] = [3.0]
    bag = make_bag(questions=QUESTIONS)
    replayed = evaluate(bag, engine, Procedure(stretch=Stretch(2, 4)))
    (outcome,) = replayed.outcomes
    assert (outcome.entry.id, outcome.evidence_s, outcome.evidence_hit) == ('shown', (3.0,), True)
    assert outcome.age == 2  # frames at 2, 3 and 4 s
    assert engine.seen_at['shown'] == [2, 3, 4]
    assert (replayed.outside, replayed.frames, replayed.seconds) == (3, 4, 3.0)
    told = ['early', 'told', 'late']
    for warning, name in zip(replayed.warnings, told, strict=True):
        assert f'question {name!r} is at' in warning
        assert 'outside what is used, 2.000 to 5.000 s: not asked' in warning


def test_a_stretch_behind_the_end_is_told(make_bag, engine) -> None:
    bag = make_bag(questions=QUESTIONS)
    replayed = evaluate(bag, engine, Procedure(stretch=Stretch(60)))
    assert (replayed.frames, replayed.outcomes) == (0, [])
    assert any(warning.endswith('no frame is that late') for warning in replayed.warnings)
