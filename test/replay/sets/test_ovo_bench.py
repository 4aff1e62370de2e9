# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

from livevlm_ros.replay.metric import Metric

STREET = 'src_videos__COIN__street'


def test_rows_that_choose_keep_time_options_and_task(ovo_bench: Path, imported, street) -> None:
    entries = {entry.id: entry for entry in imported('OVO-Bench')[1][STREET]}
    (asked, options, right), first = street.choosing()[0], entries['0']
    assert (first.at, first.question, first.type) == (asked.at, asked.question, 'EPM')
    assert (first.choices, first.answer) == (tuple(options), (options[right],))
    unable = entries['297']
    assert (unable.type, unable.answer) == ('HLD', ('Unable to answer',))


def test_forward_tasks_are_asked_at_each_of_their_times(ovo_bench: Path, imported) -> None:
    entries = {entry.id: entry for entry in imported('OVO-Bench')[1][STREET]}
    crr = [entries['1468_0'], entries['1468_1']]
    assert [(e.at, e.answer) for e in crr] == [(3.0, ('No',)), (6.5, ('Yes',))]
    assert crr[0].choices == ('Yes', 'No') and 'the last car ?' in crr[0].question
    assert 'stop at the light' in entries['1516_0'].question
    counts = [entries['1558_0'].metric, entries['1558_1'].metric]
    assert counts == [Metric('number', (n,), 'times', 0.0) for n in (1.0, 2.0)]


def test_what_cannot_be_asked_is_counted_and_what_is_late_is_asked_at_the_end(
    ovo_bench: Path, imported
) -> None:
    written, questions = imported('OVO-Bench')
    assert written.left_out == {
        'its video is missing': 1,
        'a task that OVO-Bench has no rule for': 1,
        'gt names no option': 1,
    }
    (late,) = (entry for entry in questions[STREET] if entry.id == '298')
    assert (late.at, written.at_the_end) == (23.0, 1)


def test_videos_cut_for_each_row_stand_in_for_whole_ones(
    ovo_bench: Path, put_video, imported
) -> None:
    (ovo_bench / 'src_videos/COIN/street.mp4').unlink()
    put_video('data/chunked_videos/1468_1.mp4')
    put_video('chunked_videos/0.mp4')
    put_video('src_videos/AutoEval/297.mp4')  # a video's name, not that of a cut
    file = ovo_bench / 'data/ovo_bench_new.json'
    rows = [row for row in json.loads(file.read_text()) if row['id'] in (0, 297, 1468)]
    rows[2]['test_info'] = [{'realtime': 6.5, 'type': 1}] * 2
    file.write_text(json.dumps(rows))
    put_video('chunked_videos/1468_0.mp4')
    written, questions = imported('OVO-Bench')
    assert {name: [e.id for e in entries] for name, entries in questions.items()} == {
        'chunked_videos__0': ['0'],
        'chunked_videos__1468_0': ['1468_0'],
        'data__chunked_videos__1468_1': ['1468_1'],
    }
    assert written.left_out == {'its video is missing': 1}
