# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from livevlm_ros.replay.errors import BadInput


def test_rows_become_questions_with_their_causal_evidence(
    normalised: Path, imported, street
) -> None:
    written, questions = imported('normalised')
    entries = {entry.id: entry for entry in questions['videos__street']}
    (asked, options, right), first = street.choosing()[0], entries['q-0']
    assert (first.at, first.answer, first.evidence) == (
        asked.at,
        (options[right],),
        asked.evidence,
    )
    assert (first.type, first.lookback) == ('Episodic Memory', None)
    assert (entries['late'].at, entries['late'].lookback) == (9.0, 7.0)
    assert written.left_out == {
        'options are pictures': 1,
        'answer_index missing or unreadable': 1,
    }


def test_a_row_of_other_types_is_counted_and_the_others_are_imported(
    normalised: Path, imported
) -> None:
    file = normalised / 'test.jsonl'
    rows = [json.loads(line) for line in file.read_text(encoding='utf-8').splitlines()]
    rows = [
        rows[0],
        {**rows[0], 'video_start_s': [2]},
        {**rows[0], 'evidence_intervals_causal': 5},
        'a row',
        rows[1],
    ]
    file.write_text('\n'.join(map(json.dumps, rows)), encoding='utf-8')
    written, questions = imported('normalised')
    assert [entry.id for entry in questions['videos__street']] == ['q-0', 'q-1']
    assert written.left_out == {
        'video_start_s missing or unreadable': 1,
        'evidence unreadable': 1,
        'video_relpath missing or unreadable': 1,
    }


def test_a_folder_without_such_rows_is_refused(folder: Path, imported) -> None:
    (folder / 'rows.json').write_text('[{"question": "what ?"}]')
    with pytest.raises(BadInput, match='no rows with question, query_time_s, choices'):
        imported('normalised')
