# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from livevlm_ros.model.folder import EMBEDDED
from livevlm_ros.replay.clip import Stretch
from livevlm_ros.replay.counts import Counts
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.part import Job, Measured, Part, Shard
from livevlm_ros.replay.procedure import Procedure
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.rows import read_rows

FIRST = Shard(1, 2)
MEASURED = Measured(Evaluation(frames=3), Counts(frames_in=3), 0.5)


@pytest.fixture
def job(make_bag, tmp_path: Path) -> Job:
    """Return the evaluation of a folder of three bags with two rows."""
    for name in 'abc':
        make_bag(f'film/{name}', frames=1, questions='- {at: 0, question: q}')
    return Job(tmp_path / 'film', read_rows(['recent', 'full'], []))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / 'part.json'


def test_every_recording_is_of_one_shard_and_none_has_two_more_than_another() -> None:
    names = [str(number) for number in range(11)]
    shares = [Shard(number, 4).deal(names) for number in range(1, 5)]
    assert sorted(sum(shares, [])) == sorted(names)
    assert [len(share) for share in shares] == [3, 3, 3, 2]
    assert Shard(3, 3).deal(['only']) == []


@pytest.mark.parametrize('text', ['0/2', '3/2', '1', '1/0', '-1/2', '1/2/3', '²/4', ''])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r'expected one of n as i/n'):
        Shard.read(text)
    assert str(Shard.read('2/8')) == '2/8'


def test_a_part_goes_on_where_it_was_left(job: Job, file: Path) -> None:
    part = Part.open(file, FIRST, job)
    assert part.recordings_left() == ['a', 'c'] and not file.exists()
    part.add('recent', 'a', MEASURED)
    part.add('full', 'a', MEASURED)
    part.add('full', 'c', MEASURED)
    again = Part.open(file, FIRST, job)
    assert again.left('recent') == ['c'] == again.recordings_left() and not again.left('full')
    assert again.measured('full', 'a') == MEASURED


def test_what_is_written_stays_as_it_was_and_the_rest_is_appended(job: Job, file: Path) -> None:
    part = Part.open(file, FIRST, job)
    part.add('recent', 'a', MEASURED)
    before = file.read_bytes()
    with pytest.raises(TypeError):
        part.add('recent', 'c', Measured(Evaluation(frames=object()), Counts(), 0.5))
    assert file.read_bytes() == before and list(file.parent.glob('.part*')) == []
    inode = file.stat().st_ino
    part.add('recent', 'c', MEASURED)
    assert file.read_bytes().startswith(before) and file.stat().st_ino == inode
    assert file.read_bytes().count(b'\n') == 3


def test_a_line_that_a_kill_cut_off_is_done_again(job: Job, file: Path) -> None:
    part = Part.open(file, FIRST, job)
    for name in 'ac':
        part.add('recent', name, MEASURED)
    whole = file.read_bytes()
    begin = whole.rstrip(b'\n').rfind(b'\n') + 1
    for end in (begin + 1, begin + 100, len(whole) - 1):
        file.write_bytes(whole[:end])
        again = Part.open(file, FIRST, job)
        assert again.left('recent') == ['c'] and file.read_bytes() == whole[:end]
        again.add('recent', 'c', MEASURED)
        assert file.read_bytes() == whole


def test_a_part_of_other_settings_is_refused_by_what_differs(
    job: Job, file: Path, tmp_path: Path
) -> None:
    Part.open(file, FIRST, job).begin()
    smaller = read_rows(['recent', 'full'], [], given=['memory.short_term_frames=8'])
    others = {
        'rows: full only there': replace(job, rows=job.rows[:1]),
        'memory.short_term_frames: 16 there, 8 here': replace(job, rows=smaller),
        'choices: False there, True here': replace(job, procedure=Procedure(choose=True)),
        r'stretch: \[0.0, inf\] there, \[1.0, inf\] here': replace(
            job, procedure=Procedure(stretch=Stretch(1.0))
        ),
        'questions: a: ': replace(job, procedure=Procedure([QuestionEntry(1.0, 'q')])),
        'topic: None there, /a here': replace(job, procedure=Procedure(topic='/a')),
    }
    for says, other in others.items():
        with pytest.raises(BadInput, match=f'part.json: is of another evaluation: .*{says}'):
            Part.open(file, FIRST, other)
    (tmp_path / 'film/b.questions.yaml').write_text('- {at: 0, question: other}')
    with pytest.raises(BadInput, match='questions: b: '):
        Part.open(file, FIRST, job)


def test_a_part_of_another_model_or_recording_of_the_same_name_is_refused(
    job: Job, file: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(EMBEDDED, tmp_path / 'model'))
    job = replace(job, rows=read_rows(['recent'], [], model=str(model)))
    Part.open(file, FIRST, job).begin()
    Part.open(file, FIRST, job)
    settings = (model / 'memory.yaml').read_text()
    (model / 'memory.yaml').write_text(f'{settings}# calibrated anew')
    with pytest.raises(BadInput, match='models: '):
        Part.open(file, FIRST, job)
    (model / 'memory.yaml').write_text(settings)
    (tmp_path / 'film/c.poses.txt').write_text('0 1 2 3 0 0 0 1')
    with pytest.raises(BadInput, match='recordings: c: '):
        Part.open(file, FIRST, job)


def test_another_shard_or_program_or_file_is_refused(job: Job, file: Path) -> None:
    Part.open(file, FIRST, job).begin()
    with pytest.raises(BadInput, match='is shard 1/2, not 2/2'):
        Part.open(file, Shard(2, 2), job)
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, 'part': {**content['part'], 'format': 1}}) + '\n')
    with pytest.raises(BadInput, match='written by another livevlm: format: 1 there, 2 here'):
        Part.open(file, FIRST, job)
    done = {'row': 'recent', 'recording': 'a'}
    for entry in ('{"row": ', '{"id": 1}', done, {**done, 'row': 'other', 'measured': {}}):
        line = entry if isinstance(entry, str) else json.dumps(entry)
        file.write_text(f'{json.dumps(content)}\n{line}\n')
        with pytest.raises(BadInput, match=r'part.json: line 2 is damaged'):
            Part.open(file, FIRST, job)
    without = [{key: content[key] for key in content if key != gone} for gone in content]
    for head in (*without[1:], {**content, 'plan': []}, {**content, 'shard': 1}):
        file.write_text(json.dumps(head) + '\n')
        with pytest.raises(BadInput, match=r'part.json: line 1 is damaged'):
            Part.open(file, FIRST, job)
    for text in ('{"accuracy": 1}\n', '[]\n', 'no json\n', '\udcff', ''):
        file.write_text(text, errors='surrogateescape')
        with pytest.raises(BadInput, match='is no part of an evaluation'):
            Part.open(file, FIRST, job)
    with pytest.raises(BadInput, match='cannot be read'):
        Part.read(file.with_name('missing.json'))
