# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.sets.rows import LeftOut, field, read_rows, seconds, stretches, texts


@pytest.mark.parametrize(
    'given, expected',
    [(12, 12.0), (0.5, 0.5), ('00:01:05', 65.0), ('0:10', 10.0), ('1:00:00.5', 3600.5)],
)
def test_times_are_numbers_or_clock_times(given: Any, expected: float) -> None:
    assert seconds(given, 'at') == expected


@pytest.mark.parametrize('given', [None, -1, True, 'soon', '90', float('nan'), [3]])
def test_what_is_no_time_leaves_the_row_out(given: Any) -> None:
    with pytest.raises(LeftOut, match='at missing or unreadable'):
        seconds(given, 'at')


def test_a_field_of_another_kind_leaves_the_row_out() -> None:
    assert field({'a': 3}, 'a', int) == 3
    for row in ({}, {'a': 'x'}, {'a': True}, None, [3]):
        with pytest.raises(LeftOut, match='a missing or unreadable'):
            field(row, 'a', int)


def test_options_that_are_pictures_are_told_from_unreadable_ones() -> None:
    assert texts(['a  b', 'c\n']) == ('a b', 'c')
    with pytest.raises(LeftOut, match='options are pictures'):
        texts(['a', 'data:image/png;base64,iVBO'])
    with pytest.raises(LeftOut, match='options missing or unreadable'):
        texts(['a', None])


def test_stretches_are_sorted_and_what_is_none_is_passed_over() -> None:
    assert stretches([[5, 6.5], (0, 1), [3], [4, 2], None]) == ((0.0, 1.0), (5.0, 6.5))
    assert stretches([[0, float('inf')], [0, 10**400], [float('nan'), 1]]) == stretches(None) == ()


@pytest.mark.parametrize('given', [5, 'now', True, {'from': 1}])
def test_stretches_that_are_no_list_leave_the_row_out(given: Any) -> None:
    with pytest.raises(LeftOut, match='evidence unreadable'):
        stretches(given)


@pytest.mark.parametrize(
    'name, text, expected',
    [
        ('a.json', '[{"a": 1}]', [{'a': 1}]),
        ('a.jsonl', '{"a": 1}\n\n{"a": 2}\n', [{'a': 1}, {'a': 2}]),
        ('a.csv', 'a,"b\nc"\n1,"x\u2028y"\n', [{'a': '1', 'b\nc': 'x\u2028y'}]),
    ],
)
def test_rows_are_read_by_the_ending(tmp_path: Path, name: str, text: str, expected: Any) -> None:
    (tmp_path / name).write_text(text, encoding='utf-8')
    assert read_rows(tmp_path / name) == expected


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_text('{"a"')
    with pytest.raises(BadInput, match=r'a\.json: not json'):
        read_rows(tmp_path / 'a.json')
    with pytest.raises(BadInput, match='cannot be read: No such file'):
        read_rows(tmp_path / 'b.json')
