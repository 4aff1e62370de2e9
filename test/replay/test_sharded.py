# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parts, done in any order and by any process, merge into the report of a single run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from livevlm_ros.engine import Engine, EngineConfig
from livevlm_ros.engine.messages import Latency
from livevlm_ros.replay.compare import Run, compare, run_rows
from livevlm_ros.replay.counts import Counts
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import Progress
from livevlm_ros.replay.outcome import Evaluation, Outcome
from livevlm_ros.replay.part import Job, Measured, Part, Shard
from livevlm_ros.replay.procedure import Procedure
from livevlm_ros.replay.report import TIMED
from livevlm_ros.replay.rows import read_rows
from livevlm_ros.replay.sharded import merge_parts, run_part
from livevlm_ros.replay.write_world import Filming, write_world

SMALL = 'memory.short_term_frames=4 memory.long_term_frames=4'


def load(config: EngineConfig, progress: Progress) -> Engine:
    engine = Engine(config)
    engine.load(progress)
    return engine


def untimed(runs: list[Run]) -> str:
    """Return the comparison's JSON without the keys that measure time."""
    compared = json.loads(json.dumps(compare(runs)))
    for report in compared['presets'].values():
        for key in TIMED:
            *path, last = key.split('.')
            place = report
            for step in path:
                place = place[step]
            del place[last]
    for card in compared['cap']:
        del card['performance'], card['pays']
    return json.dumps(compared)


def seen(runs: list[Run]) -> list[Outcome]:
    """Return all answers with their pictures, but without what is new in every run."""
    return [
        replace(
            outcome,
            answer=replace(
                outcome.answer,
                latency=Latency(),
                evidence=tuple(replace(one, frame_key='') for one in outcome.answer.evidence),
            ),
        )
        for run in runs
        for outcome in run.evaluation.outcomes
    ]


@pytest.fixture(scope='module')
def job(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Return the evaluation of five streams and two broken ones, with all that rows can be."""
    folder = tmp_path_factory.mktemp('sharded') / 'film'
    write_world(
        folder, Filming(seed=6, streams=5, frames=(5, 24), size=(128, 96), questions=8, fps=2)
    )
    (folder / 'broken.mcap').write_bytes(b'nothing')
    (folder / 'stream-0003.questions.yaml').write_text('- {at: 1, question: [')
    rows = read_rows(
        ['full'],
        [
            f'balanced=balanced {SMALL}',
            f'livevlm=livevlm {SMALL}',
            f'oracle=balanced {SMALL} oracle=true',
            f'gated=balanced {SMALL} ingest.gate=true',
        ],
        model=str(checkpoint),
        fps=2.0,
        given=['ask.default_max_tokens=2', 'model.threads=1'],
    )
    return Job(folder, rows, comparing=True)


@pytest.fixture(scope='module')
def single(job: Job) -> list[Run]:
    """Evaluate in one go."""
    return list(run_rows(job.path, job.rows, Procedure(thumbnails=True), load=load))


@pytest.fixture(scope='module')
def parts(job: Job, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Evaluate in three parts."""
    files = [tmp_path_factory.mktemp('parts') / f'part-{number}.json' for number in (1, 2, 3)]
    for number, file in enumerate(files, 1):
        run_part(job, Part.open(file, Shard(number, 3), job), load=load)
    return files


def merged(files: list[Path]) -> list[Run]:
    return merge_parts([Part.read(file) for file in files])


def test_the_merged_report_is_that_of_a_single_run_but_for_times(
    parts: list[Path], single: list[Run]
) -> None:
    runs = merged(parts[::-1])
    assert untimed(runs) == untimed(single)
    assert seen(runs) == seen(single)
    assert any(one.thumbnail_jpeg for o in seen(runs) for one in o.answer.evidence)
    report = runs[0].report
    assert report['source']['recordings'] == 5 - 1 and len(report['warnings']) == 2
    assert report['source']['left_out'] == ['broken.mcap', 'stream-0003']
    assert report['accuracy']['overall']['n'] >= 20
    assert runs[1].report['recall']['questions'] == single[1].report['recall']['questions']
    assert runs[1].report['seconds_taken'] > 0


def test_a_killed_part_does_only_what_is_left(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = job.rows[:2]
    job, file, asked = replace(job, rows=rows), tmp_path / 'part.json', []

    def stub(engine, row, job, recording, progress) -> Measured:
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append((row.name, recording.name))
        progress(1.0)
        return Measured(Evaluation(recordings=[recording.name]), Counts(), 0.1)

    loaded, shares = [], []

    class Stub:
        def cleanup(self) -> None:
            loaded.append('cleanup')

    def load(config: EngineConfig, progress: Progress) -> Stub:
        loaded.append(config.memory.preset)
        return Stub()

    def run() -> None:
        part = Part.open(file, Shard(2, 2), job)
        run_part(job, part, load=load, progress=lambda name, share: shares.append(share))

    monkeypatch.setattr('livevlm_ros.replay.sharded.measure', stub)
    with pytest.raises(KeyboardInterrupt):
        run()
    names = list(job.recordings())[1::2]
    assert asked == [('full', name) for name in names], 'each recording of the shard once'
    assert loaded == ['full', 'cleanup', 'balanced', 'cleanup']
    asked.clear()
    shares.clear()
    run()
    assert asked == [('balanced', name) for name in names]
    assert loaded[4:] == ['balanced', 'cleanup'], 'what is done needs no engine'
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_parts_that_are_no_whole_are_refused_by_name(parts: list[Path], job: Job) -> None:
    one, two, three = parts
    folder = one.parent
    with pytest.raises(BadInput, match='no part of shard 2/3, 3/3; expected all 3'):
        merged([one])
    copy = folder / 'copy.json'
    copy.write_bytes(two.read_bytes())
    with pytest.raises(BadInput, match='copy.json: is shard 2/3, and so is .*part-2.json'):
        merged([*parts, copy])
    half = folder / 'half.json'
    Part.open(half, Shard(1, 2), job).begin()
    with pytest.raises(BadInput, match='half.json: is shard 1/2, but .*part-1.json is shard 1/3'):
        merged([one, half])
    begun = folder / 'begun.json'
    Part.open(begun, Shard(3, 3), job).begin()
    left, _ = list(job.recordings())[2::3]
    says = f'begun.json: shard 3/3 is not done, 2 recordings left, such as {left}; run it again'
    with pytest.raises(BadInput, match=says):
        merged([one, two, begun])
    other = folder / 'other.json'
    Part.open(other, Shard(3, 3), replace(job, rows=job.rows[:1])).begin()
    with pytest.raises(BadInput, match='other.json: is of another evaluation than .*part-1.json'):
        merged([one, two, other])


def test_more_shards_than_recordings_leave_some_empty(make_bag, tmp_path: Path) -> None:
    make_bag('film/only', frames=1, questions='- {at: 0, question: q}')
    job = Job(tmp_path / 'film', read_rows(['recent'], []))
    file = tmp_path / 'part.json'
    run_part(job, Part.open(file, Shard(2, 2), job), load=pytest.fail)
    assert Part.read(file).recordings_left() == []


def test_a_folder_of_which_nothing_can_be_used_is_refused(make_bag, tmp_path: Path) -> None:
    bag = make_bag('film/only', frames=1, questions='- {at: 0, question: q}')
    job = Job(tmp_path / 'film', read_rows(['recent'], []))
    part = Part.open(tmp_path / 'part.json', Shard(1, 1), job)
    with pytest.raises(BadInput, match='1 recording left, such as only; run it again'):
        merge_parts([part])
    part.add('recent', bag.name, Measured(Evaluation(warnings=['torn']), Counts(), 0.0))
    with pytest.raises(BadInput, match='torn'):
        merge_parts([part])
    with pytest.raises(BadInput, match='no such file'):
        run_part(replace(job, path=tmp_path / 'gone'), part, load=pytest.fail)
