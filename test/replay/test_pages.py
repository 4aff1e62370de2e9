# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What people see of an evaluation: the table, the page and the picture."""

import io
import re
from dataclasses import replace
from html import escape
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from livevlm_ros.engine import Engine
from livevlm_ros.replay import picture
from livevlm_ros.replay.accuracy import Report, accuracy_of
from livevlm_ros.replay.compare import Run, compare
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import evaluate
from livevlm_ros.replay.html import html_report
from livevlm_ros.replay.outcome import Evaluation
from livevlm_ros.replay.picture import draw_picture
from livevlm_ros.replay.procedure import Procedure
from livevlm_ros.replay.report import build_report
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.table import measures, print_comparison, print_report
from livevlm_ros.world import KINDS


@pytest.fixture(scope='module')
def evaluated(world_folder: Path, checkpoint: Path) -> tuple[Evaluation, Report]:
    config = engine_config(
        model=str(checkpoint),
        preset='full',
        given=['ask.default_max_tokens=1', 'model.threads=1'],
    )
    engine = Engine(config)
    engine.load()
    evaluation = evaluate(world_folder, engine, Procedure(thumbnails=True))
    evaluation.warnings.append('something <odd> [bold]')
    report = build_report(evaluation, engine.stats(), config, path='w', seconds=2.0)
    engine.cleanup()
    return evaluation, report


def printed(report: Report, width: int = 80) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width))
    return out.getvalue()


def test_the_table_fits_a_terminal_with_every_rate_beside_its_size_error_and_chance(
    evaluated,
) -> None:
    _, report = evaluated
    text = printed(report)
    assert '…' not in text, 'a column was cut off'
    for kind, row in report['accuracy']['by_type'].items():
        line = next(line for line in text.splitlines() if line.strip().startswith(kind))
        assert str(row['n']) in line and '±' in line and f'{100 * row["chance"]:.1f}' in line
    assert 'warning: something <odd> [bold]' in text
    ingest = report['ingest']
    assert f'{ingest["frames_in"]} in = {ingest["frames_used"]} used + 0 dropped' in text


def test_no_number_of_a_large_table_is_cut_off(evaluated) -> None:
    _, report = evaluated
    whole = {'n': 12345, 'correct': 12345, 'hit': 12345, 'rate': 1.0, 'se': 0.0}
    guesses = {'chance': 1.0, 'majority': 1.0}
    accuracy = {
        **report['accuracy'],
        'overall': whole,
        'by_type': {kind: {**whole, **guesses} for kind in KINDS},
        'by_variant': {'exists/a_variant_with_quite_a_long_name': {**whole, 'n': 1234}},
    }
    hits = {**whole, 'chance': 1.0}
    evidence = {**hits, 'past': hits, 'by_type': dict.fromkeys(KINDS, hits)}
    path = '/a/long/path' * 9
    large = {
        **report,
        'accuracy': accuracy,
        'evidence': evidence,
        'source': {**report['source'], 'path': path},
    }
    text = printed(large)
    assert '…' not in text
    assert text.count('100.0 ± 0.0') >= 2 * len(KINDS) and text.count('12345') > 2 * len(KINDS)
    assert path in ''.join(text.split())


def test_the_table_of_a_replay_without_questions_has_the_totals(evaluated) -> None:
    _, report = evaluated
    empty = {**report, 'accuracy': accuracy_of([])}
    assert 'took' in printed(empty) and 'kind' not in printed(empty)


def page_of(*runs: Run) -> str:
    return html_report(runs, compare(runs))


def test_the_page_is_one_file_with_plots_and_wrong_answers(evaluated) -> None:
    evaluation, report = evaluated
    page = page_of(Run(report, evaluation))
    images = re.findall(r'src="([^"]*)"', page)
    assert all(image.startswith('data:image/') for image in images), 'nothing is fetched'
    assert 'http' not in page
    for title in ('accuracy by kind', 'accuracy by age', 'memory of full', 'latency'):
        assert f'aria-label="{title}"' in page, title
    assert 'something &lt;odd&gt;' in page
    wrong = [o for o in evaluation.outcomes if o.correct is False]
    assert wrong and page.count('class="answer"') == min(len(wrong), 12)
    assert 'data:image/jpeg' in page, 'a wrong answer shows the frames it looked at'
    assert 'In pairs' not in page and 'Pays' not in page


def test_the_page_of_a_replay_without_questions_has_the_memory_only(make_run) -> None:
    page = page_of(make_run('full'))
    assert 'aria-label="memory of full"' in page and 'Accuracy' not in page


@pytest.fixture
def several(make_run, make_outcome) -> list[Run]:
    def outcomes(old: bool, ms: float):
        for recording in 'ab':
            for number in range(4):
                right, age = (True, 3) if number % 2 else (old, 60)
                yield make_outcome(
                    right,
                    recording=recording,
                    id=str(number),
                    age=age,
                    first_token_ms=ms,
                    thumbnail=b'jpeg',
                )

    return [make_run('recent', *outcomes(False, 4.0)), make_run('<full>', *outcomes(True, 9.0))]


def test_the_page_of_several_presets_compares_them(several) -> None:
    page = page_of(*several)
    assert page.count('class="card"') == 2 and '≥ 60 frames' in page
    assert 'Pays context: reaches 3 frames, against 60 frames with &lt;full&gt;' in page
    assert '&lt;full&gt; − recent' in page and '+50.0 to +50.0' in page
    assert '+50.0 (+50.0 to +50.0)' in page, 'the difference without counts'
    assert page.count('is made to give up context') == 2
    assert '<full>' not in page
    assert 'prefers-color-scheme: dark' in page and 'name="viewport"' in page


def test_the_page_shows_the_questions_that_only_some_presets_answer_right(several) -> None:
    page = page_of(*several)
    assert 'Where they differ' in page and page.count('class="answer"') == 4
    assert page.count('✗ blue') == page.count('✓ red') == 4
    assert page.count('src="data:image/jpeg') == 8


def test_the_page_shows_each_question_without_a_truth_among_others(make_run, make_outcome) -> None:
    free = make_outcome(id='2', said='a bicycle')
    free = replace(free, entry=replace(free.entry, answer=()))
    page = page_of(make_run('full', make_outcome(), free))
    assert page.count('class="answer"') == 1 and 'a bicycle' in page


def test_the_table_of_several_presets_fits_a_terminal(make_run, make_outcome, several) -> None:
    outcomes = several[0].evaluation.outcomes
    runs = [make_run(preset, *outcomes) for preset in ('recent', 'full', 'rekv', 'livevlm')]
    out = io.StringIO()
    print_comparison(compare(runs), Console(file=out, width=80))
    text = out.getvalue()
    assert '…' not in text
    assert 'right (n 8)' in text and 'majority 100.0' in text and 'chance is 50.0' in text
    overall = [line for line in text.splitlines() if line.strip().startswith('right (n 8)')]
    assert sum(line.count('50.0 ± 17.7') for line in overall) == 4
    assert 'livevlm − recent' in text and '+0.0 to +0.0' in text
    assert 'rekv pays nothing: each goal within 5 %' in text
    assert 'is made to give up context' in ' '.join(text.split())


def test_many_rows_are_told_in_blocks_and_no_number_is_cut_off(make_run, make_outcome) -> None:
    outcomes = [make_outcome(n % 2 > 0, id=str(n), age=600) for n in range(8)]
    runs = [make_run(f'row-{number}', *outcomes) for number in range(11)]
    out = io.StringIO()
    print_comparison(compare(runs, against=['row-3']), Console(file=out, width=110))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 110
    old = [line for line in lines if line.strip().startswith('right <=1024 frames (n 8)')]
    assert sum(line.count('50.0 ± 17.7') for line in old) == 11
    pairs = [line.split('  ')[0].strip() for line in lines if '−' in line]
    assert pairs == [f'row-{n} − row-3' for n in range(11) if n != 3]


def test_figures_side_by_side_leave_out_what_did_not_happen(several) -> None:
    report = several[0].report
    plain = measures(report)
    assert plain['all / on the device'] == '4.4x' and plain['to read'] == '500 B'
    assert plain['first token p50 / p95'] == '4.0 / 4.0 ms'
    absent = {'not answered', 'deadlines met', 'on disk', 'oldest frames lost by the full cache'}
    assert not absent & plain.keys()
    told = measures(
        {
            **report,
            'deadline': {'met': 3, 'missed': 1},
            'questions': {**report['questions'], 'statuses': {'OK': 6, 'DEADLINE': 2}},
            'memory': {**report['memory'], 'disk_bytes': 2_000_000, 'context_truncated': True},
        }
    )
    assert told['not answered'] == '2' and told['deadlines met'] == '3 of 4'
    assert told['on disk'] == '2 MB' and told['oldest frames lost by the full cache'] == 'yes'


def test_the_picture_shows_frames_of_the_stream(evaluated, world_folder, tmp_path: Path) -> None:
    draw_picture(world_folder, evaluated[0], tmp_path / 'p.png')
    image = cv2.imread(str(tmp_path / 'p.png'))
    assert image is not None and image.shape[1] > 1000
    green = np.all(np.abs(image.astype(int) - (0x5A, 0x85, 0x2F)) < 8, axis=2)
    assert green.sum() > 500, 'the frame to be seen has a green border'


def test_the_picture_of_a_long_recording_holds_only_the_frames_it_shows(
    engine, make_bag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = make_bag(frames=90, questions='- {at: 89, question: q, answer: red, evidence: [5, 7]}')
    engine.evidence_s['q'] = [40.0, 6.0]
    evaluation = evaluate(bag, engine)
    drawn = []
    monkeypatch.setattr(picture, '_show', lambda axes, frames, *_: drawn.append(frames))
    draw_picture(bag, evaluation, tmp_path / 'p.png')
    strip = [round(second) for second in np.linspace(0, 89, picture.STRIP_FRAMES)]
    assert sorted(drawn[0]) == sorted({*strip, 6, 40})
    assert all(
        int(image.mean()) == pytest.approx(second, abs=3) for second, image in drawn[0].items()
    )


def test_the_picture_says_which_questions_it_shows(engine, make_bag, tmp_path: Path) -> None:
    shown = '- {at: 7, question: q, answer: red, evidence: [2, 3]}\n'
    bag = make_bag(questions=f'{shown}- {{at: 7, question: q, answer: red}}\n{shown}')
    draw_picture(bag, evaluate(bag, engine), tmp_path / 'p.svg')
    assert '1 of 3 questions: the first of each kind' in (tmp_path / 'p.svg').read_text()


def test_the_picture_tells_stretches_apart_and_what_lies_between(
    engine, make_bag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = '[[1, 2], [5, 7], [11, 11], [14, 15]]'
    bag = make_bag(
        frames=20, questions=f'- {{at: 19, question: q, answer: red, evidence: {evidence}}}'
    )
    engine.evidence_s['q'] = [6.0, 9.0, 14.0]
    drawn = []
    monkeypatch.setattr(picture, '_show', lambda axes, frames, *shown: drawn.append(shown))
    draw_picture(bag, evaluate(bag, engine), tmp_path / 'p.png')
    visible, *looked_at = drawn[-4:]
    assert visible == (14.5, 'visible: …, 5-7, 11, 14-15 s', picture.GREEN)
    assert [(second, color) for second, _, color in looked_at] == [
        (6.0, picture.GREEN),
        (9.0, picture.GREY),
        (14.0, picture.GREEN),
    ]


def test_the_page_of_one_question_says_when_its_answer_was_visible(make_run, make_outcome) -> None:
    wrong = make_outcome(False)
    stretches = ((1.0, 2.0), (5.0, 7.5))
    for intervals, said in ((stretches, '1 to 2 and 5 to 7.5'), ((), '0 to 1999.5')):
        run = make_run('full', replace(wrong, entry=replace(wrong.entry, intervals=intervals)))
        page = html_report([run], compare([run]))
        assert f', visible at {said} s</small>' in page and ', 1 question, ' in page


def test_no_picture_without_a_question_about_the_past(engine, make_bag, tmp_path: Path) -> None:
    bag = make_bag(questions='- {at: 3, question: q, answer: red}')
    evaluation = evaluate(bag, engine)
    with pytest.raises(BadInput, match='nothing asked has evidence in the past'):
        draw_picture(bag, evaluation, tmp_path / 'p.png')


def test_markup_of_others_is_text_in_tables_and_on_pages(make_run, make_outcome) -> None:
    odd = '[red]<b>odd</b>[/nothing] $\\x$'
    wrong = make_outcome(said=odd, recording=odd)
    asked = replace(wrong, entry=replace(wrong.entry, question=odd, answer=(odd, 'red')))
    run = make_run('full', replace(asked, answer=replace(asked.answer, text='blue', message=odd)))
    run.report['source']['path'] = odd
    run.report['warnings'].append(odd)
    run.report['questions']['statuses'] = {'INVALID': 1}
    run.report['answers'][0]['status'] = 'INVALID'
    text = printed(run.report, width=200)
    assert f'warning: {odd}' in text and f'such as {odd}' in text and f'{odd}: 1 rec' in text
    compared = io.StringIO()
    print_comparison(compare([run]), Console(file=compared, width=200))
    assert f'warning: {odd}' in compared.getvalue()
    page = html_report([run], compare([run]))
    assert page.count(escape(odd)) == 5  # path, warning, recording, question and right answer
    assert '<b>odd' not in page


def test_mathematics_in_a_question_is_text_in_a_picture(engine, make_bag, tmp_path: Path) -> None:
    entry = r'- {at: 7, question: "is it $\\nothing{$ ?", answer: red, evidence: [2, 3]}'
    bag = make_bag(questions=entry)
    draw_picture(bag, evaluate(bag, engine), tmp_path / 'p.png')
    assert (tmp_path / 'p.png').is_file()


def test_a_picture_of_an_unknown_kind_is_refused(evaluated, world_folder, tmp_path) -> None:
    with pytest.raises(BadInput, match=r'p\.xyz: the picture cannot be written'):
        draw_picture(world_folder, evaluated[0], tmp_path / 'p.xyz')
