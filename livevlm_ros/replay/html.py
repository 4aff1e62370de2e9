# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A replay as one self-contained page: CAP cards, tables, plots, and answers with their frames.

The page is the same for one preset and for several; several are also compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from livevlm_ros.replay.compare import Run
from livevlm_ros.replay.html_answers import answers_section
from livevlm_ros.replay.plots import COLORS, figures
from livevlm_ros.replay.report import Report
from livevlm_ros.replay.table import difference, evidence, measures, percent, rate_text, totals

_STYLE = """
:root { color-scheme: light dark; --ink: #1a202c; --paper: #fff; --faint: #64748b;
        --line: #dde3ea; --card: #f6f8fa; --right: #2f855a; --wrong: #c53030; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e2e8f0; --paper: #11161d; --faint: #94a3b8; --line: #2b3440; --card: #1a212b;
          --right: #68d391; --wrong: #fc8181; } }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto;
       padding: 0 1rem; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p { max-width: 46rem; } small, .lead { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
th { font-weight: 600; white-space: nowrap; } .n { text-align: right; white-space: nowrap; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); }
.plots { columns: 2 24rem; column-gap: 1rem; }
.card, figure { background: var(--card); border-radius: .5rem; padding: .8rem 1rem; margin: 0; }
figure { margin-bottom: 1rem; break-inside: avoid; }
.card { border-top: 4px solid; max-width: 22rem; }
.card h3 { margin: 0 0 .5rem; font-size: 1.05rem; }
.card > * { color: var(--ink); }
dl { margin: 0; } dt { color: var(--faint); } dd { margin: 0 0 .5rem; line-height: 1.2; }
dd b { font-size: 1.2rem; display: block; }
.card p { margin: .7rem 0 0; }
figcaption { font-weight: 600; margin-bottom: .3rem; } svg { width: 100%; height: auto; }
.answer { padding: .8rem 0; border-bottom: 1px solid var(--line); }
.given { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; }
.given > div { max-width: 20rem; } .given img { width: 5.6rem; margin: .2rem .2rem 0 0; }
.right { color: var(--right); } .wrong { color: var(--wrong); } .warning { color: #b7791f; }
@media print {
  @page { margin: 12mm; } :root { color-scheme: light; } body { margin: 0; font-size: 9pt; }
  table { font-size: 7.5pt; } td, th { padding: .15rem .4rem; } .wide { overflow: visible; }
  .cards { grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .5rem; }
  .plots { columns: 2; } h2 { break-after: avoid; }
  .card, .answer, tr { break-inside: avoid; } .given img { width: 4rem; } }
"""

_EVIDENCE = (
    '<h2>Evidence</h2><p><small>% of answers of which a returned frame shows what was asked for, '
    '± standard error; in brackets, the same for as many frames drawn blindly from the memory.'
    '</small></p>'
)


def html_report(runs: Sequence[Run], compared: Report) -> str:
    """
    Write the page.

    :param runs: of one preset or of several over the same source; evidence thumbnails are shown
        where there are any
    :param compared: what `compare` makes of them
    :returns: a whole HTML document
    """
    title = f'{runs[0].report["model"]}: {", ".join(run.preset for run in runs)}'
    warnings = dict.fromkeys(warning for run in runs for warning in run.report['warnings'])
    scored = runs[0].report['accuracy']['overall']['n']
    parts = [
        f'<h1>{escape(title)}</h1>',
        f'<p class="lead">{escape(_subject(runs[0].report))}</p>',
        *(f'<p class="warning">{escape(warning)}</p>' for warning in warnings),
        *(_cards(compared['cap']) if scored else ()),
        '<h2>Measured</h2>',
        _table([('', *(run.preset for run in runs)), *_measured(runs)]),
        *(_paired(compared['paired']) if scored and len(runs) > 1 else ()),
        '<h2>Plots</h2>',
        f'<div class="plots">{"".join(figures(runs))}</div>',
        *(_kinds(runs) if scored else ()),
        *answers_section(runs),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><style>{_STYLE}</style></head><body>'
        + '\n'.join(parts)
        + '</body></html>\n'
    )


def _subject(report: Report) -> str:
    """Say what was replayed and asked; it is the same for every preset."""
    source, asked = dict(totals(report))['source'], report['questions']['asked']
    return f'{source}, {asked} questions, {report["settings"]["dtype"]}'


def _cards(cards: Sequence[Report]) -> list[str]:
    explained = (
        'Context is how far back answers hold 90 % of the accuracy on what was last to be seen '
        'within 16 frames; ≥ where all that was asked holds. Kinds of question differ between '
        'ages.'
    )
    if len(cards) > 1:
        explained += ' A preset pays the goal in which it falls furthest behind the best one here.'
    drawn = (_card(card, COLORS[n % len(COLORS)]) for n, card in enumerate(cards))
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
    return (
        f'<div class="card" style="border-color:{color}"><h3>{escape(card["preset"])}</h3>'
        f'<dl>{goals}</dl>{pays}</div>'
    )


def _measured(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """Return a row a measure and a column a run."""
    columns = [measures(run.report) for run in runs]
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, *(column.get(name, '-') for column in columns)) for name in names]


def _paired(pairs: Sequence[Report]) -> list[str]:
    head = ('', 'points', '95 %', 'n', 'streams', 'gained', 'lost', 'same answer %')
    rows = [
        (
            f'{row["candidate"]} − {row["baseline"]}',
            *difference(row),
            str(row['n']),
            str(row['streams']),
            str(row['gained']),
            str(row['lost']),
            percent(row['agreement']['rate']),
        )
        for row in pairs
    ]
    note = (
        '<p><small>Difference of accuracy over the same questions; the interval is a bootstrap '
        'over streams.</small></p>'
    )
    return ['<h2>In pairs</h2>', _table([head, *rows]), note]


def _kinds(runs: Sequence[Run]) -> list[str]:
    """Tabulate accuracy by kind and by age, and evidence by kind, with sizes and guesses."""
    first = runs[0].report
    names = [run.preset for run in runs]
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
        _table([('kind', 'n', 'chance', 'majority', *names), *kinds]),
        *([_table([('frames since it was to be seen', 'n', *names), *ages])] if ages else ()),
        *([_EVIDENCE, _table([('kind', 'n', *names), *found])] if found else ()),
    ]


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Write rows, the first of them a head, in a box that scrolls where the screen is narrow."""
    head, *body = (_row(row, 'th' if number == 0 else 'td') for number, row in enumerate(rows))
    return f'<div class="wide"><table>{head}{"".join(body)}</table></div>'


def _row(row: Sequence[str], tag: str) -> str:
    first, *numbers = (escape(cell) for cell in row)
    cells = ''.join(f'<{tag} class="n">{cell}</{tag}>' for cell in numbers)
    return f'<tr><th>{first}</th>{cells}</tr>'
