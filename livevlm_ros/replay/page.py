# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A self-contained page: its look, its frame, its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

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


def page(title: str, parts: Iterable[str]) -> str:
    """
    Write a whole HTML document, which fetches nothing.

    :param title: plain text
    :param parts: HTML of the body
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><style>{_STYLE}</style></head><body>'
        + '\n'.join(parts)
        + '</body></html>\n'
    )


def table(rows: Iterable[Sequence[str]]) -> str:
    """Write rows, the first of them a head, in a box that scrolls where the screen is narrow."""
    head, *body = (_row(row, 'th' if number == 0 else 'td') for number, row in enumerate(rows))
    return f'<div class="wide"><table>{head}{"".join(body)}</table></div>'


def _row(row: Sequence[str], tag: str) -> str:
    first, *numbers = (escape(cell) for cell in row)
    cells = ''.join(f'<{tag} class="n">{cell}</{tag}>' for cell in numbers)
    return f'<tr><th>{first}</th>{cells}</tr>'
