# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A replay as one self-contained page: CAP cards, tables, plots, and answers with their frames.

The page is the same for one row and for several; several are also compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from livevlm_ros.replay.accuracy import PARTS, Report
from livevlm_ros.replay.compare import Run
from livevlm_ros.replay.html_answers import answers_section
from livevlm_ros.replay.page import page, table
from livevlm_ros.replay.plots import figures, look
from livevlm_ros.replay.set_rules import set_lines, set_rules
from livevlm_ros.replay.table import difference, evidence, measures, percent, rate_text, totals

_EVIDENCE = (
    '<h2>Evidence</h2><p><small>% of answers of which a returned frame shows what was asked for, '
    '± standard error; in brackets, the same for as many frames drawn blindly from the memory.'
    '</small></p>'
)


def html_report(runs: Sequence[Run], compared: Report) -> str:
    """
    Write the page.

    :param runs: of one row or of several over the same source; evidence thumbnails are shown
        where there are any
    :param compared: what `compare` makes of them
    :returns: a whole HTML document
    """
    title = f'{runs[0].report["model"]}: {", ".join(run.name for run in runs)}'
    warnings = dict.fromkeys(warning for run in runs for warning in run.report['warnings'])
    scored = runs[0].report['accuracy']['overall']['n']
    sets = set_lines(runs[0].report) if len(runs) == 1 else set_rules(runs[0].report)
    parts = [
        f'<h1>{escape(title)}</h1>',
        f'<p class="lead">{escape(_subject(runs[0].report))}</p>',
        *(f'<p class="warning">{escape(warning)}</p>' for warning in warnings),
        *(_cards(compared['cap']) if scored else ()),
        '<h2>Measured</h2>',
        table([('', *(run.name for run in runs)), *_measured(runs)]),
        *(f'<p><small>{escape(name)}: {escape(text)}</small></p>' for name, text in sets),
        *(_paired(compared['paired']) if scored and len(runs) > 1 else ()),
        '<h2>Plots</h2>',
        f'<div class="plots">{"".join(figures(runs))}</div>',
        *(_kinds(runs) if scored else ()),
        *answers_section(runs),
    ]
    return page(title, parts)


def _subject(report: Report) -> str:
    """Say what was replayed and asked; it is the same for every row."""
    source, asked = dict(totals(report))['source'], report['questions']['asked']
    return f'{source}, {asked} question{"s" * (asked != 1)}, {report["settings"]["dtype"]}'


def _cards(cards: Sequence[Report]) -> list[str]:
    explained = (
        'Context is how far back answers hold 90 % of the accuracy on what was last visible '
        'within 16 frames; ≥ where all that was asked holds. Kinds of question differ between '
        'ages.'
    )
    if len(cards) > 1:
        explained += ' One pays the goal in which it falls furthest behind the best one here.'
    drawn = (_card(card, look(number)['color']) for number, card in enumerate(cards))
    return [
        '<h2>CAP</h2>',
        f'<div class="cards">{"".join(drawn)}</div>',
        f'<p><small>{explained}</small></p>',
    ]


def _card(card: Report, color: str) -> str:
    context, accuracy = card['context'], card['accuracy']
    milliseconds = card['performance']['first_token_p95_ms']
    reach, until = '-', 'no fresh answer is right'
    if context['frames'] is not None:
        reach = f'{"" if context["fails"] else "≥ "}{context["frames"]} frames'
        until = f'{context["seconds"]:.0f} s'
    guesses = (
        f'n = {accuracy["n"]}, chance {percent(accuracy["chance"])}, '
        f'majority {percent(accuracy["majority"])}'
    )
    rows = (
        ('Context', reach, until),
        ('Accuracy', f'{rate_text(accuracy)} %', guesses),
        (
            'Performance',
            '-' if milliseconds is None else f'{milliseconds:.1f} ms',
            'first token, p95',
        ),
    )
    goals = ''.join(
        f'<dt>{goal}</dt><dd><b>{escape(value)}</b> <small>{escape(note)}</small></dd>'
        for goal, value, note in rows
    )
    pays = f'<p>Pays {escape(card["pays"]["words"])}.</p>' if card['pays'] else ''
    made = f'{card["preset"]} is made to give up {card["gives_up"]}.'
    if card['oracle']:
        made = f'{card["preset"]}, but an oracle chooses what of its memory is read.'
    if card['alone']:
        made = 'Reads no frame: what the words of a question give away.'
    return (
        f'<div class="card" style="border-color:{color}"><h3>{escape(card["name"])}</h3>'
        f'<dl>{goals}</dl>{pays}<p><small>{escape(made)}</small></p></div>'
    )


def _measured(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """Return a row a measure and a column a run."""
    columns = [measures(run.report) for run in runs]
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, *(column.get(name, '-') for column in columns)) for name in names]


def _paired(pairs: Sequence[Report]) -> list[str]:
    head = (
        '',
        'points',
        '95 %',
        'n',
        'streams',
        'gained',
        'lost',
        'same answer %',
        'without counts',
        'about now',
        'about the past',
    )
    rows = [
        (
            f'{row["candidate"]} − {row["baseline"]}',
            *difference(row),
            str(row['n']),
            str(row['streams']),
            str(row['gained']),
            str(row['lost']),
            percent(row['agreement']['rate']),
            *('{} ({})'.format(*difference(row[part])) for part in PARTS),
        )
        for row in pairs
    ]
    note = (
        '<p><small>Difference of accuracy over the same questions, and over those that do not '
        'count, those about what the newest frame shows and those about what older ones showed; '
        'the interval is a bootstrap over streams.</small></p>'
    )
    return ['<h2>In pairs</h2>', table([head, *rows]), note]


def _kinds(runs: Sequence[Run]) -> list[str]:
    """Tabulate accuracy by kind and by age, and evidence by kind, with sizes and guesses."""
    first = runs[0].report
    names = [run.name for run in runs]
    kinds = [
        (
            kind,
            str(row['n']),
            percent(row['chance']),
            percent(row['majority']),
            *(rate_text(run.report['accuracy']['by_type'][kind]) for run in runs),
        )
        for kind, row in first['accuracy']['by_type'].items()
    ]
    ages = [
        (age, str(row['n']), *(rate_text(run.report['accuracy']['by_age'][age]) for run in runs))
        for age, row in first['accuracy']['by_age'].items()
        if row['n']
    ]
    found = [
        (kind, str(row['n']), *(evidence(run.report['evidence']['by_type'][kind]) for run in runs))
        for kind, row in first['evidence']['by_type'].items()
    ]
    return [
        '<h2>Accuracy by kind and by age</h2><p><small>% right ± standard error.</small></p>',
        table([('kind', 'n', 'chance', 'majority', *names), *kinds]),
        *([table([('frames since it was visible', 'n', *names), *ages])] if ages else ()),
        *([_EVIDENCE, table([('kind', 'n', *names), *found])] if found else ()),
    ]
