# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The engine itself over recordings, with random weights."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from livevlm_ros.engine import Engine
from livevlm_ros.engine.messages import Frame
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.evaluate import evaluate
from livevlm_ros.replay.image_bag import image_bag
from livevlm_ros.replay.masked import Masking
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.procedure import Procedure
from livevlm_ros.replay.questions import AT_THE_END, QuestionEntry
from livevlm_ros.replay.recording import SourceOver
from livevlm_ros.replay.report import TIMED, build_report
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.source import open_source

VTEST = Path('/usr/share/doc/opencv-doc/examples/data/vtest.avi')

NOW_S = 1_700_000_000


def replayed(path: Path, checkpoint: Path, **settings) -> tuple[Evaluation, Report]:
    """Evaluate with the real engine over random weights; one token an answer."""
    given = ['ask.default_max_tokens=1', 'model.threads=1', 'ask.min_confidence=0']
    given += [f'{name}={value}' for name, value in settings.pop('given', {}).items()]
    config = engine_config(model=str(checkpoint), given=given, **settings)
    engine = Engine(config)
    engine.load()
    evaluation = evaluate(path, engine)
    report = build_report(evaluation, engine.stats(), config, path=str(path), seconds=1.0)
    engine.cleanup()
    return evaluation, report


def untimed(report: Report) -> Report:
    """Return a report without the keys that measure time."""
    copy = json.loads(json.dumps(report))
    for key in TIMED:
        place = copy
        *path, last = key.split('.')
        for step in path:
            place = place[step]
        del place[last]
    return copy


def test_two_runs_give_the_same_report_but_for_times(world_folder, checkpoint) -> None:
    first, second = (replayed(world_folder, checkpoint, preset='full')[1] for _ in range(2))
    assert untimed(first) == untimed(second)
    assert first['accuracy']['overall']['n'] == 24
    assert len({row['given'] for row in first['answers']}) > 1, 'all answers equal: no test'


def test_every_frame_of_the_world_is_accounted_for(world_folder, checkpoint) -> None:
    evaluation, report = replayed(world_folder, checkpoint, preset='recent')
    ingest = report['ingest']
    assert ingest['frames_in'] == report['source']['frames'] == evaluation.frames
    assert ingest['frames_in'] == ingest['frames_used'] + ingest['frames_dropped']
    assert ingest['frames_dropped'] == 0
    assert report['questions']['statuses'].keys() <= {'OK', 'PARTIAL'}


def test_evidence_stamps_are_those_of_frames_the_question_could_see(
    world_folder, checkpoint
) -> None:
    evaluation, _ = replayed(world_folder, checkpoint, preset='full')
    with_evidence = [outcome for outcome in evaluation.outcomes if outcome.evidence_s]
    assert len(with_evidence) == len(evaluation.outcomes)
    for outcome in with_evidence:
        assert all(second in range(int(outcome.entry.at) + 1) for second in outcome.evidence_s)


def test_corrupt_frames_are_dropped_as_bad_and_the_rest_is_used(
    tmp_path: Path, checkpoint
) -> None:
    from rosbags.rosbag2 import Reader, StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    with image_bag(tmp_path / 'good') as write:
        for second in range(4):
            write((1 + second) * 10**9, np.full((96, 128, 3), 40 * second, np.uint8))
    with (
        Reader(tmp_path / 'good') as reader,
        Writer(tmp_path / 'bad', version=9, storage_plugin=StoragePlugin.MCAP) as writer,
    ):
        connection = writer.add_connection(
            '/camera', reader.connections[0].msgtype, typestore=get_typestore(Stores.ROS2_KILTED)
        )
        for number, (_, stamp, data) in enumerate(reader.messages()):
            writer.write(connection, stamp, data[:-40] if number == 2 else data)
    _, report = replayed(tmp_path / 'bad', checkpoint)
    assert report['ingest']['dropped_by']['bad'] == 1
    assert report['ingest']['frames_used'] == 3 and report['ingest']['frames_in'] == 4


def test_frames_that_all_have_one_stamp_measure_nothing(tmp_path: Path, checkpoint) -> None:
    with image_bag(tmp_path / 'bag') as write:
        for grey in (40, 80, 120):
            write(10**9, np.full((96, 128, 3), grey, np.uint8))
    (tmp_path / 'bag.questions.yaml').write_text('- {at: 2, question: what color was the car}')
    evaluation, report = replayed(tmp_path / 'bag', checkpoint)
    assert (report['ingest']['dropped_by']['bad'], evaluation.outside) == (2, 1)
    assert 'outside the recording; 2 bad frames, such as ' in report['nothing_measured']
    assert 'do the stamps stand still?' in report['nothing_measured']


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], float]], None]:
    """Give recordings another clock: what it shows at each second."""

    class Clocked(SourceOver):
        shown: Callable[[int], float]

        def frames(self) -> Iterator[Frame]:
            for second, frame in enumerate(self._source.frames()):
                stamp_ns = round(Clocked.shown(second) * 1e9)
                yield replace(frame, stamp_ns=stamp_ns, stream_ns=stamp_ns)

    def set_clock(shown: Callable[[int], float]) -> None:
        Clocked.shown = staticmethod(shown)

    monkeypatch.setattr(
        'livevlm_ros.replay.evaluate.open_source', lambda *a, **k: Clocked(open_source(*a, **k))
    )
    return set_clock


@pytest.mark.parametrize(
    ('shown', 'lost'),
    [
        (lambda second: NOW_S + second - 4_294_967 * (second > 3), 4),
        (lambda second: 1 + second + NOW_S * (second > 0), 1),
        (lambda second: NOW_S + second + 40_000_000 * (second > 3), 4),
        (lambda second: NOW_S + second + 9000 * (second == 4), 4),
    ],
    ids=['wraps', 'is set after a frame', 'is set ahead', 'strays'],
)
def test_a_clock_that_leaps_costs_the_frame_that_tells_and_no_answer(
    clock, make_bag, checkpoint, shown: Callable[[int], float], lost: int
) -> None:
    bag = make_bag(
        frames=9,
        questions='\n'.join(
            f'- {{at: {at}, question: what do you see now, evidence: [2, 2]}}' for at in (2, 5, 8)
        ),
    )
    found = []
    for each in (shown, lambda second: 0.0 if second == lost else NOW_S + second):
        clock(each)
        evaluation, report = replayed(bag, checkpoint)
        assert not evaluation.outside and evaluation.seconds == 8.0
        assert report['ingest']['dropped_by']['bad'] == 1
        assert not any('the engine counted' in warning for warning in report['warnings'])
        found.append(
            [
                (o.age, o.answer.frames_considered, sorted(o.evidence_s))
                for o in evaluation.outcomes
            ]
        )
    assert found[0] == found[1]


def test_what_is_masked_after_a_leap_is_what_was_looked_at(clock, world_folder) -> None:
    clock(lambda second: NOW_S + second - 5000 * (second > 3))
    engine = Engine(engine_config(given=['ask.min_confidence=0']))
    engine.load()
    read = []

    class Noted:
        @staticmethod
        def ask_now(question, *, reading=None):
            answer = engine.ask_now(question, reading=reading)
            read.append((answer.frames_considered, reading and len(reading.without)))
            first, *others = answer.evidence
            others = [replace(frame, score=0.0) for frame in others]
            return replace(answer, evidence=(replace(first, score=1.0), *others))

    asked = [QuestionEntry(AT_THE_END, 'what do you see now ?', lookback=60.0)]
    recording = world_folder / 'stream-0000'
    found = evaluate(recording, engine, Procedure(asked), ask=Masking(Noted).ask)
    engine.cleanup()
    (whole, _), *masked = read
    assert whole == found.frames - 1 and masked == [(whole - 1, 1)] * 2


def generated_video(path: Path) -> Path:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (128, 96))
    for number in range(250):
        image = np.full((96, 128, 3), 60, np.uint8)
        cv2.circle(image, (number % 128, 48), 12, (40, 40, 220), -1)
        video.write(image)
    video.release()
    return path


@pytest.fixture(params=['generated', 'vtest'])
def video(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give an avi made here, and the pedestrians of Debian's package opencv-doc where it is."""
    if request.param == 'vtest' and VTEST.exists():
        (tmp_path / 'vtest.avi').symlink_to(VTEST)
        return tmp_path / 'vtest.avi'
    return generated_video(tmp_path / 'generated.avi')


def test_a_video_runs_to_its_end_in_fixed_memory(
    video: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / f'{video.stem}.questions.yaml').write_text(
        '- {at: 12, question: what was the color of the car, answer: red, type: color_of}\n'
        '- {at: 24, question: what was the color of the car, answer: red, type: color_of}\n'
    )
    evaluation, report = replayed(video, checkpoint, preset='recent')
    ingest = report['ingest']
    frames = int(cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT))
    assert ingest['frames_in'] == report['source']['frames'] == frames
    assert ingest['frames_used'] + ingest['dropped_by']['rate'] == frames
    assert frames / 12 < ingest['frames_used'] <= frames / 9
    full = [sample for sample in evaluation.memory if sample.sizes.short_term_frames == 16]
    assert full and len({sample.sizes.device_bytes for sample in full}) == 1
    for outcome in evaluation.outcomes:
        assert outcome.evidence_s
        assert all(
            outcome.entry.at - 17 < second <= outcome.entry.at for second in outcome.evidence_s
        )


@pytest.mark.parametrize('raw', [True, False], ids=['raw', 'jpeg'])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_bags_of_every_kind_are_replayed(
    tmp_path: Path, checkpoint: Path, storage: str, raw: bool
) -> None:
    with image_bag(tmp_path / 'bag', storage=storage, raw=raw) as write:
        for second in range(5):
            write((1 + second) * 10**9, np.full((96, 128, 3), 40 * second, np.uint8))
    question = '- {at: 4, question: what was the color of the car}'
    (tmp_path / 'bag.questions.yaml').write_text(question)
    evaluation, report = replayed(tmp_path / 'bag', checkpoint)
    assert report['ingest']['frames_used'] == 5
    assert set(evaluation.outcomes[0].evidence_s) <= {0.0, 1.0, 2.0, 3.0, 4.0}
