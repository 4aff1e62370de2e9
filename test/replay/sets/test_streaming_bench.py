# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput


def test_letters_become_answers_and_clock_times_seconds(
    streaming_bench: Path, imported, street
) -> None:
    entries = imported('StreamingBench')[1]['data__real__sample_7__street']
    usable = [one for one in street.choosing() if len(one[1]) < 8]
    assert len(entries) == len(usable)
    first = next(entry for entry in entries if entry.id == 'real-0-0')
    asked, options, right = usable[0]
    assert (first.at, first.question) == (float(int(asked.at)), asked.question)
    assert (first.choices, first.answer) == (tuple(options), (options[right],))
    assert first.type in ('Counting', 'Object Recognition')


def test_a_question_of_a_sequence_is_told_of_those_before_it(
    streaming_bench: Path, imported
) -> None:
    first, second = imported('StreamingBench')[1]['src__data__videos__sample_2_sqa']
    assert not first.question.startswith('Before') and first.answer == ('right',)
    assert second.question == f'Before: {first.question} right Now: {first.question}'
    assert (second.at, second.answer) == (12.0, ('left',))


def test_what_cannot_be_asked_is_counted_by_its_reason(streaming_bench: Path, imported) -> None:
    assert imported('StreamingBench')[0].left_out == {
        'answer names no option': 1,
        'asks to speak up at a later time': 1,
    }


def test_options_whose_letters_are_out_of_order_are_left_out(write, put_video, imported) -> None:
    put_video('videos/sample_1_omni.mp4')
    asked = {'task_type': 'x', 'question': 'what ?', 'time_stamp': '00:00:03', 'answer': 'A'}
    rows = [
        {'questions': [{**asked, 'options': options}], 'video_path': './videos/sample_1_omni.mp4'}
        for options in (['B. b', 'A. a'], ['A.a', 'B.b'])
    ]
    write('questions_omni.json', rows)
    written, ((entry,),) = (lambda told, by: (told, tuple(by.values())))(
        *imported('streamingbench')
    )
    assert entry.choices == ('a', 'b') and entry.answer == ('a',)
    assert written.left_out == {'letters of options out of order': 1}


def test_a_folder_without_its_annotations_is_refused(folder: Path, imported) -> None:
    with pytest.raises(BadInput, match=r'no questions_real\.json in it; expected'):
        imported('StreamingBench')
