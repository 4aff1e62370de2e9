# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput

STREET = 'videos__annotated_videos__01_CODa_full__street'


def test_each_query_time_is_a_question_with_its_own_answer(
    ovo_s_bench: Path, imported, street
) -> None:
    written, questions = imported('OVO-S-Bench')
    entries = {entry.id: entry for entry in questions[STREET]}
    assert written.questions == len(street.asked) + 3
    (asked, options, right), first = street.choosing()[0], entries['1.1.1_0_q0']
    assert (first.at, first.question, first.choices) == (asked.at, asked.question, tuple(options))
    assert (first.answer, first.evidence) == ((options[right],), asked.evidence)
    assert (first.type, first.set) == ('1.1.1 Absolute Distance', 'OVO-S-Bench')
    several = [entries[f'2.1.2_0_q{number}'] for number in range(3)]
    assert [entry.at for entry in several] == [5.0, 9.5, 12.0]
    a, b = options[0], options[1]
    assert [entry.answer for entry in several] == [(a,), (b,), (b,)]
    assert several[0].intervals == ((0.0, 1.0), (3.0, 4.0)) and several[0].evidence == (0.0, 4.0)


def test_what_cannot_be_asked_is_counted_by_its_reason(ovo_s_bench: Path, imported) -> None:
    assert imported('OVO-S-Bench')[0].left_out == {
        'options are pictures': 1,
        'its video is missing': 1,
        'answers missing or unreadable': 1,
    }


def test_a_row_of_other_types_is_counted_and_the_others_are_imported(
    put_video, write, imported
) -> None:
    put_video('videos/street.mp4')
    row = {
        'id': 'fine',
        'video_path': 'street.mp4',
        'task_subcategory': '1.1.1',
        'question': 'what ?',
        'options': [['A', 'red'], ['B', 'blue']],
        'query_times': [5.0],
        'answers': ['A'],
    }
    bad = [{'answers': [['A']]}, {'answers': [{}]}, {'evidence_times': 3}, {'query_times': [{}]}]
    write('ovo_s_bench.json', [row, *({**row, **wrong} for wrong in bad), {**row, 'id': 'last'}])
    written, questions = imported('OVO-S-Bench')
    assert [entry.id for entry in questions['videos__street']] == ['fine_q0', 'last_q0']
    assert written.left_out == {
        'answers missing or unreadable': 2,
        'evidence unreadable': 1,
        'query_times missing or unreadable': 1,
    }


def test_without_pyarrow_one_line_says_what_to_install(
    ovo_s_bench: Path, imported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(BadInput, match=r"to read parquet, pip install 'livevlm_ros\[sets\]'"):
        imported('OVO-S-Bench')


def test_a_file_that_is_no_parquet_is_refused(folder: Path, imported) -> None:
    pytest.importorskip('pyarrow')
    (folder / 'ovo_s_bench.parquet').write_bytes(b'version https://git-lfs.github.com/spec/v1')
    with pytest.raises(BadInput, match=r'ovo_s_bench\.parquet: not parquet'):
        imported('OVO-S-Bench')
