# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from rich.console import Console

from livevlm_ros.engine.messages import Answer, Status
from livevlm_ros.replay.answers_table import answers_table


def test_answers_stand_beside_their_questions_and_reasons_where_there_is_none(
    make_outcome,
) -> None:
    told = make_outcome(said='[bold]red\x1b')
    refused = replace(told, answer=Answer(Status.INVALID, 'no such word; it knows a thousand'))
    console = Console(width=110, record=True)
    console.print(answers_table([told, refused], title='balanced'))
    text = console.export_text()
    assert 'what is it ?' in text and '2000.0 s' in text and '7.0' in text and '20 ms' in text
    assert '[bold]red\ufffd' in text
    assert 'no such word' in text and 'thousand' not in text
