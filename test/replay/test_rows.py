# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.rows import BASELINES, ORACLE, check_baselines, read_rows


def test_rows_come_after_the_presets_and_have_names_of_their_own() -> None:
    rows = read_rows(['livevlm', 'rekv'], ['fifo=livevlm memory.eviction=fifo', 'Old-1_b=recent'])
    assert [row.name for row in rows] == ['livevlm', 'rekv', 'fifo', 'Old-1_b']
    presets = [row.config.memory.preset for row in rows]
    assert presets == ['livevlm', 'rekv', 'livevlm', 'recent']
    assert [row.config.memory.eviction for row in rows[:3:2]] == ['vsb', 'fifo']


def test_settings_of_a_row_go_over_those_of_all() -> None:
    plain, own = read_rows(
        ['balanced'],
        ['small=balanced memory.short_term_frames=8 retrieval.frames=5'],
        given=['memory.short_term_frames=32', 'memory.long_term_frames=11'],
    )
    assert plain.config.memory.short_term_frames == 32
    assert own.config.memory.short_term_frames == 8 and own.config.memory.retrieval_frames == 5
    assert own.config.memory.long_term_frames == plain.config.memory.long_term_frames == 11


def test_a_value_may_be_quoted() -> None:
    (row,) = read_rows((), ["r=recent memory.path='/a folder'"])
    assert row.config.memory.path == '/a folder'


def test_baselines_are_rows_of_no_video_of_the_last_frames_and_of_an_oracle() -> None:
    rows = {row.name: row for row in read_rows((), [*BASELINES, ORACLE % 'livevlm'])}
    assert list(rows) == ['no-video', 'last-2', 'last-4', 'last-8', 'oracle']
    assert [row.config.memory.short_term_frames for row in rows.values()][1:4] == [2, 4, 8]
    assert all(rows[f'last-{n}'].config.memory.long_term_frames == 0 for n in (2, 4, 8))
    assert [name for name, row in rows.items() if row.alone] == ['no-video']
    assert [name for name, row in rows.items() if row.oracle] == ['oracle']
    assert rows['oracle'].config.memory.preset == 'livevlm'


def test_only_a_row_that_says_so_has_an_oracle() -> None:
    texts = ['a=rekv oracle=true memory.short_term_frames=4', 'b=rekv oracle=false', 'c=rekv']
    rows = read_rows((), texts)
    assert [row.oracle for row in rows] == [True, False, False]
    assert rows[0].config.memory.short_term_frames == 4
    with pytest.raises(BadInput, match="no setting 'oracle'"):
        read_rows(['rekv'], (), given=['oracle=true'])


@pytest.mark.parametrize(
    'text, says',
    [
        ('fifo', '--row fifo: expected NAME=PRESET and settings, such as'),
        ('fifo=', '--row fifo=: expected NAME=PRESET'),
        ("fifo=livevlm 'a", 'expected NAME=PRESET'),
        ('a b=livevlm', "a name of letters, digits, - and _, got 'a b'"),
        ('=livevlm', "got ''"),
        ('x=elephant', "row x: memory preset must be one of .*got 'elephant'"),
        ('x=livevlm eviction', 'row x: setting eviction: expected name=value'),
        ('x=livevlm memory.colour=1', "row x: .*no setting 'memory.colour'"),
        ('x=livevlm memory.eviction=best', 'row x: eviction must be one of'),
        ('x=livevlm oracle=yes', 'row x: oracle=yes: expected true or false'),
        ('x=livevlm alone=', 'row x: alone=: expected true or false'),
        ('recent=livevlm', 'row recent: the name is given twice'),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_rows(['recent'], [text])


def test_a_baseline_that_is_no_row_is_refused() -> None:
    names = ['recent', 'rekv', 'mine']
    check_baselines(['rekv', 'mine'], names)
    with pytest.raises(BadInput, match='--against full: no such row; expected of recent, rekv'):
        check_baselines(['rekv', 'full'], names)
