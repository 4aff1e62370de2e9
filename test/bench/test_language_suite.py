# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from livevlm_bench.language_model import LanguageModel
from livevlm_bench.language_rows import TextRow, table_rows
from livevlm_bench.language_suite import QUICK, Streams, measure
from livevlm_bench.language_table import print_language
from livevlm_ros.replay.errors import BadInput

STREAMS = Streams(seed=2, count=2, tokens=1024)


@pytest.fixture(scope='module')
def found(text_model: LanguageModel) -> dict[str, Any]:
    report = measure(text_model, STREAMS, table_rows(1024))
    return json.loads(json.dumps(report))


def test_every_row_is_asked_every_question(found: dict[str, Any]) -> None:
    rows = found['rows']
    assert list(rows) == [row.name for row in table_rows(1024)]
    assert len(found['questions']) == 38
    for row in rows.values():
        assert (row['n'], row['by_type']['not_said']['n']) == (32, 6)


def test_rows_read_what_their_budgets_say(found: dict[str, Any]) -> None:
    read = {name: row['tokens_read'] for name, row in found['rows'].items()}
    recall = {name: row['recall'] for name, row in found['rows'].items()}
    assert read['full'] == 1024 and read['closed'] == 0 and read['recent'] == 128
    for name in ('balanced', 'livevlm', 'rekv', 'window', 'means'):
        assert read[name] == pytest.approx(320, abs=16)
    assert recall['full'] == recall['oracle'] == 1.0
    assert recall['recent'] == recall['closed'] == 0.0
    assert 0.0 < recall['balanced'] < 1.0


def test_two_runs_give_the_same_report(text_model: LanguageModel) -> None:
    rows = [row for row in table_rows(768) if row.name in ('balanced', 'recent')]
    one, two = (measure(text_model, Streams(count=1, tokens=768), rows) for _ in range(2))
    assert one.pop('seconds_taken') and two.pop('seconds_taken')
    assert one == two


def test_progress_names_row_and_stream_and_rows_are_told_when_done(
    text_model: LanguageModel,
) -> None:
    steps: list[tuple[str, float]] = []
    reports: list[dict[str, Any]] = []
    rows: list[TextRow] = table_rows(768, quick=True)
    last = measure(
        text_model,
        Streams(count=2, tokens=768),
        rows,
        progress=lambda *step: steps.append(step),
        so_far=reports.append,
    )
    named = [
        f'{row}, stream {n}' for row in ('full', 'balanced', 'rekv', 'recent') for n in (1, 2)
    ]
    assert [name for name, _ in steps] == named
    shares = [share for _, share in steps]
    assert shares[0] == 0.0 and shares == sorted(shares) and shares[-1] < 1.0
    assert [len(report['rows']) for report in reports] == [1, 3, 4, 5]
    assert reports[-1] == last and list(last['rows']) == [row.name for row in rows]


@pytest.mark.parametrize('tokens', [0, 448, 1537, 8192])
def test_streams_that_cannot_be_read_whole_are_refused(
    text_model: LanguageModel, tokens: int
) -> None:
    with pytest.raises(BadInput, match=f'--tokens {tokens}: expected a multiple of 64'):
        measure(text_model, Streams(tokens=tokens), [])


def test_facts_and_text_of_ones_own_are_read(text_model: LanguageModel, tmp_path: Path) -> None:
    fact = {'say': 'The code of the {who} is {value}.', 'ask': 'What is the code of the {who}?'}
    facts = [{**fact, 'who': ['gate', 'safe'], 'values': ['12', '34']}]
    (tmp_path / 'facts.json').write_text(json.dumps(facts))
    (tmp_path / 'a.txt').write_text('The river rises in spring and falls in autumn. ' * 4)
    streams = Streams(count=1, facts=tmp_path / 'facts.json', text=tmp_path)
    rows = [row for row in table_rows(1536) if row.name == 'recent']
    (question,) = measure(text_model, streams, rows)['questions']
    assert question['ask'].startswith('What is the code of the')


def test_what_was_found_is_printed_without_cutting_anything(found: dict[str, Any]) -> None:
    written = StringIO()
    print_language(found, Console(file=written, width=110))
    text = written.getvalue()
    assert '2 streams of 1024 tokens' in text and 'balanced − full' in text
    assert '<=64' in text and 'two_hop' in text and 'not said' in text
    assert '…' not in text
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_pretrained_model_finds_what_it_was_told_long_ago(pretrained: LanguageModel) -> None:
    streams = Streams(**QUICK)
    rows = measure(pretrained, streams, table_rows(streams.tokens, quick=True))['rows']
    right = {name: row['right'] for name, row in rows.items()}
    assert right['full'] > 0.7 and right['oracle'] > 0.7  # the streams are fair
    assert right['balanced'] > 0.9 * right['full']
    assert right['balanced'] > right['rekv'] + 0.3 > right['recent'] + 0.3
    assert rows['balanced']['recall'] > 0.8 and rows['balanced']['share_read'] < 0.25
