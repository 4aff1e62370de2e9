# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.set_rules import SETS
from livevlm_ros.replay.sets import READERS, import_set
from livevlm_ros.replay.source import find_recordings


def test_every_set_that_is_read_has_a_rule() -> None:
    assert READERS.keys() == SETS.keys()


def test_videos_are_linked_to_and_ids_are_told_apart(
    ovo_bench: Path, imported, tmp_path: Path
) -> None:
    file = ovo_bench / 'data/ovo_bench_new.json'
    rows = json.loads(file.read_text())
    file.write_text(json.dumps([rows[0], {**rows[0], 'realtime': 1}]))
    _, questions = imported('OVO-Bench')
    link = tmp_path / 'out/src_videos__COIN__street.mp4'
    assert link.readlink() == (ovo_bench / 'src_videos/COIN/street.mp4').resolve()
    assert [(e.id, e.at) for e in questions['src_videos__COIN__street']] == [
        ('0', 1.0),
        ('0~2', rows[0]['realtime']),
    ]


def test_videos_whose_names_meet_have_questions_of_their_own(
    put_video, write, imported, folder: Path, tmp_path: Path
) -> None:
    names = ('v/a.mp4', 'v/a.mkv', 'v__a.mp4')
    for name in names:
        put_video(name)
    row = {
        'question': 'what ?',
        'choices': ['red', 'blue'],
        'answer_index': 0,
        'query_time_s': 5.0,
    }
    rows = [{**row, 'question_id': name, 'video_relpath': name} for name in names]
    write('rows.json', rows)
    written, questions = imported('normalised')
    asked = {}
    for recording in find_recordings(tmp_path / 'out'):
        ids = [entry.id for entry in questions[recording.name.removesuffix(recording.suffix)]]
        asked[str(recording.resolve().relative_to(folder))] = ids
    assert asked == {name: [name] for name in names}
    assert written.recordings == len(names)


@pytest.mark.parametrize('there', [False, True])
@pytest.mark.parametrize('error', [KeyboardInterrupt, BadInput])
def test_an_import_that_ends_in_the_middle_leaves_nothing_and_can_be_done_again(
    navqa: Path, tmp_path: Path, there: bool, error: type[BaseException]
) -> None:
    out = tmp_path / 'out'
    if there:
        out.mkdir()

    def stop(what: str, share: float) -> None:
        if what == 'navqa-0' and share > 0.5:
            raise error('enough')

    with pytest.raises(error, match='enough'):
        import_set('NaVQA', navqa, out, progress=stop)
    assert out.exists() == there and sorted(tmp_path.iterdir()) == [out] * there + [navqa]
    assert not there or not list(out.iterdir())
    assert import_set('NaVQA', navqa, out).recordings == 1
    assert [each.name for each in find_recordings(out)] == ['navqa-0']
    assert not list(tmp_path.rglob('.*'))


def test_a_folder_that_cannot_be_written_is_one_line(ovo_bench: Path, tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(BadInput, match='file/out: cannot be written: Not a directory'):
        import_set('OVO-Bench', ovo_bench, tmp_path / 'file/out')
