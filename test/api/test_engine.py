# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`from livevlm_ros import Engine`, over the embedded model."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from livevlm_ros import BadInput, Engine, NotDone
from livevlm_ros.api.engine import EVERY_FRAME
from livevlm_ros.engine import Status

QUESTION = 'what is on the left now ?'


def run(code: str) -> str:
    """Return what a fresh Python prints for some code."""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    return done.stdout


def test_the_package_brings_nothing_and_the_engine_no_torch_until_it_is_opened() -> None:
    heavy = "print(sorted({'torch', 'transformers', 'numpy', 'cv2'} & sys.modules.keys()))"
    assert run(f'import sys, livevlm_ros; {heavy}') == '[]\n'
    assert 'torch' not in run(f'import sys; from livevlm_ros import Engine; {heavy}')


def test_a_typo_is_told_before_torch_is_imported() -> None:
    code = """
import sys
from livevlm_ros import BadInput, Engine
settings = ({'memory.frames': 3}, {'memory.long_term_frames': 'x'})
wrong = [{'model': 'embeded'}, {'preset': 'best'}, {'device': 'gpu'}]
for options in (*wrong, *({'settings': each} for each in settings)):
    try:
        Engine.open(**options)
    except BadInput as error:
        print(error)
print('torch' in sys.modules)
"""
    *told, torch = run(code).splitlines()
    assert torch == 'False' and len(told) == 5
    expected = ('embeded', 'best', 'gpu', "no setting 'memory.frames'", 'a whole number')
    assert all(words in line for words, line in zip(expected, told, strict=True))


def test_open_takes_settings_as_they_are_typed_or_as_they_are() -> None:
    settings = {'memory.short_term_frames': 4, 'ingest.gate': True, 'ask.min_confidence': 0.0}
    with Engine.open(preset='recent', settings=settings) as engine:
        assert engine._engine is not None
        config = engine._engine._config
        assert (config.memory.preset, config.memory.short_term_frames) == ('recent', 4)
        assert config.gate is True and config.min_confidence == 0.0
        assert config.model.device == 'cpu' and config.cameras == ('camera',)
        assert config.target_fps == EVERY_FRAME


def test_every_frame_is_used(engine: Any, film: Any) -> None:
    watching = engine.watch(film(30, fps=30))
    assert str(watching) == 'frames: 0 of 0 frames used, to be read'
    assert str(watching.read()) == 'frames: 30 of 30 frames used'
    assert engine._engine.stats().memory.frames == 30


def test_a_rate_thins_them(make_engine: Any, film: Any) -> None:
    assert str(make_engine(fps=1.0).watch(film(25, fps=10)).read()).startswith('frames: 3 of 25')


def test_a_loop_may_ask_in_between_and_leave(engine: Any, film: Any) -> None:
    seconds = []
    for second in engine.watch(film(20)):
        seconds.append(second)
        if second in (4, 8):
            answer = engine.ask(QUESTION)
            assert max(answer.evidence_s) == second
        if second == 8:
            break
    assert seconds == list(range(9))
    assert engine.ask(QUESTION).evidence_s and engine._engine.stats().frames_used == 9


def test_what_nobody_looped_over_is_read_by_the_next_question(engine: Any, film: Any) -> None:
    first = engine.watch(film(5))
    second = engine.watch(film(5, begin=5))
    assert (first.used, second.used) == (5, 0)
    assert engine.ask(QUESTION).frames_considered == 10 and second.used == 5


def test_recordings_follow_one_another(engine: Any, video: Any) -> None:
    assert str(engine.watch(video('one.mp4', 20)).read()).endswith('one.mp4: 20 of 20 frames used')
    assert list(engine.watch(str(video('two.mp4', 3)))) == pytest.approx([2.9, 3.0, 3.1])


def test_given_frames_go_on_after_a_recording(engine: Any, video: Any, film: Any) -> None:
    engine.watch(video('one.mp4', 5))
    assert list(engine.watch(film(2, begin=10))) == [10, 11]


def test_a_folder_with_several_recordings_is_refused(engine: Any, video: Any) -> None:
    folder = video('one.mp4', 2).parent
    assert engine.watch(folder).read().used == 2
    video('two.mp4', 2)
    with pytest.raises(BadInput, match='2 recordings; expected one'):
        engine.watch(folder)
    with pytest.raises(BadInput, match='no such file'):
        engine.watch(folder / 'three.mp4')


def test_cameras_are_told_apart(make_engine: Any, film: Any) -> None:
    engine = make_engine(cameras=('front', 'rear'))
    both = ((second, image, camera) for second, image in film(4) for camera in ('front', 'rear'))
    assert engine.watch(both).read().used == 8
    assert {each.camera for each in engine.ask(QUESTION, cameras=['rear']).evidence} == {'rear'}


def test_an_answer_grows(engine: Any, film: Any) -> None:
    engine.watch(film(10))
    stream = engine.stream(QUESTION)
    pieces = list(stream)
    assert all(pieces) and ''.join(pieces) == stream.answer.text == engine.ask(QUESTION).text


def test_two_runs_agree(make_engine: Any, film: Any) -> None:
    def run() -> list[tuple[str, float, tuple[float, ...]]]:
        engine, found = make_engine(), []
        for second in engine.watch(film(30)):
            if second % 10 == 9:
                answer = engine.ask(QUESTION)
                found.append((answer.text, answer.confidence, answer.evidence_s))
        return found

    assert run() == run()


def test_fields_reach_the_engine(engine: Any, film: Any) -> None:
    engine.watch(film(20))
    answer = engine.ask(QUESTION, as_of_s=9.0, max_evidence=2, request_id='mine')
    assert max(answer.evidence_s) == 9.0 and len(answer.evidence) == 2
    assert answer.request_id == 'mine' and all(each.thumbnail_jpeg for each in answer.evidence)
    assert answer.latency.budget_ms == 0
    times = engine.ask(QUESTION, time_start_s=3.0, time_end_s=5.0).evidence_s
    assert times and all(3 <= second <= 5 for second in times)
    chosen = engine.ask(QUESTION, choices=['car', 'nothing'], attach_images=False)
    assert chosen.text == ('car', 'nothing')[chosen.choice_index]
    assert not any(each.thumbnail_jpeg for each in chosen.evidence)


def test_how_a_question_ends_is_its_status(engine: Any, film: Any) -> None:
    assert engine.ask(QUESTION).status is Status.NO_EVIDENCE
    engine.watch(film(3))
    assert engine.ask(QUESTION, budget_s=0.001).status is Status.DEADLINE
    assert engine.ask(QUESTION, min_confidence=1.0).status is Status.NOT_SEEN


@pytest.mark.parametrize(
    ('asked', 'fields', 'why'),
    [
        ('', {}, 'question: got an empty text'),
        ('what is a zebra ?', {}, 'zebra'),
        (QUESTION, {'cameras': 'rear'}, "cameras: got 'rear'"),
        (QUESTION, {'lookback_s': -1.0}, 'lookback: got -1.0'),
        (QUESTION, {'scope': 'past'}, "scope: got 'past', expected one of auto, now"),
    ],
)
def test_what_cannot_be_asked_is_a_line(
    engine: Any, film: Any, asked: str, fields: Any, why: str
) -> None:
    engine.watch(film(2))
    with pytest.raises(BadInput, match=why) as refused:
        engine.ask(asked, **fields)
    assert '\n' not in str(refused.value)


def test_a_failure_of_the_model_is_told(
    engine: Any, film: Any, model: Any, monkeypatch: Any
) -> None:
    def fails(*given: Any, **options: Any) -> Any:
        raise RuntimeError('the device is gone')

    engine.watch(film(2)).read()
    monkeypatch.setattr(model, 'encode_frames', fails)
    with pytest.raises(NotDone, match='frame 1: .*the device is gone'):
        engine.watch(film(1, begin=2)).read()
    monkeypatch.setattr(model, 'read', fails)
    with pytest.raises(NotDone, match='the device is gone'):
        engine.ask(QUESTION)


def test_clear_forgets_and_time_begins_anew(engine: Any, film: Any, video: Any) -> None:
    engine.watch(film(5, begin=100)).read()
    assert engine.clear() == 5
    assert engine.ask(QUESTION).status is Status.NO_EVIDENCE
    assert list(engine.watch(video('one.mp4', 2))) == pytest.approx([0.0, 0.1])


def test_a_closed_engine_says_so(make_engine: Any, film: Any) -> None:
    with make_engine() as engine:
        watching = engine.watch(film(3))
        next(watching)
    engine.close()
    for use in (lambda: engine.ask(QUESTION), lambda: engine.watch(film(1)), engine.clear):
        with pytest.raises(NotDone, match='the engine is closed'):
            use()
    with pytest.raises(NotDone, match='the engine is closed'):
        watching.read()
