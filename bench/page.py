# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The pages of what was measured, made from reports: `python -m livevlm_bench.page [REPORT...]`.

Reports given are filed in docs/bench, in place of those filed before. Then docs/bench.md, its
pictures and docs/gpu.md are written from all that are filed: no number is written by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from livevlm_bench.bars import bar_words
from livevlm_bench.gpu_page import page as gpu_page
from livevlm_bench.pictures import picture

Report = dict[str, Any]

GPU = 'gpu'


def main(arguments: Sequence[str] | None = None) -> int:
    """File reports and write the pages; returns the exit status."""
    parser = argparse.ArgumentParser(prog='page', description=__doc__)
    parser.add_argument('reports', nargs='*', type=Path, help='what `--json` has written')
    parser.add_argument('--docs', type=Path, default=Path('docs'), help='folder of the pages')
    given = parser.parse_args(arguments)
    filed = given.docs / 'bench'
    for path in given.reports:
        name, report = to_file(json.loads(path.read_text(encoding='utf-8')))
        _write(filed / f'{name}.json', json.dumps(report, indent=1) + '\n')
    reports = read_reports(filed)
    for name, report in reports.items():
        if (drawn := picture(name, report)) is not None:
            _write(filed / f'{name}.svg', drawn)
    _write(given.docs / 'bench.md', bench_page(reports))
    _write(given.docs / 'gpu.md', gpu_page(reports.get(GPU)))
    return 0


def to_file(report: Report) -> tuple[str, Report]:
    """Return the name that a report is filed by, and it without what it says of each question."""
    name = report['suite']
    if name == 'language':
        name = f'language-{report["source"]["tokens"]}'
        report = {key: part for key, part in report.items() if key != 'questions'}
    return name, report


def read_reports(folder: Path) -> dict[str, Report]:
    """Read the reports that are filed, by name."""
    files = sorted(folder.glob('*.json'))
    return {file.stem: json.loads(file.read_text(encoding='utf-8')) for file in files}


def bench_page(reports: Mapping[str, Report]) -> str:
    """Return docs/bench.md; a suite without a report is said to have none."""
    pages = Environment(
        loader=PackageLoader('livevlm_bench', 'pages'),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters |= {
        'number': number,
        'percent': percent,
        'megabytes': lambda count: number(count / 1e6, 1 if count < 1e8 else 0),
        'spread': spread,
        'rate': rate,
        'bar': bar_words,
        'machine': machine,
    }
    return pages.get_template('bench.md.jinja').render(reports=reports)


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with so many digits after the point; nothing where there is none."""
    return '' if value is None else f'{value:,.{digits}f}'


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share in %; nothing where there is none."""
    return '' if share is None else number(100 * share, digits)


def spread(quartiles: Mapping[str, float | None], digits: int = 1) -> str:
    """Write a median with the other quartiles, where they are known and another number."""
    low, middle, high = (number(quartiles[name], digits) for name in ('p25', 'p50', 'p75'))
    return middle if low in ('', high) else f'{middle} ({low} to {high})'


def rate(part: Mapping[str, float], value: str = 'rate') -> str:
    """Write a rate with its standard error, in %."""
    error = f' ± {percent(part["se"], 1)}' if part['se'] else ''
    return percent(part[value], 1) + error


def machine(report: Report) -> str:
    """Say where and with what a report was measured."""
    place, versions = report['machine'], report['versions']
    code = versions['commit']
    load = place['load']
    words = [
        f'Measured on {report["date"]}',
        f'at commit {code}' if code else 'on an earlier tree',
        f'with Python {versions["python"]} and torch {versions["torch"]} on {place["cpu"]}',
        f'{place["cores"]} cores',
        f'{place["threads"]} of them used' if place['threads'] < place['cores'] else '',
        '' if load is None else f'5-minute load {number(load, 1)}, the suite itself included',
    ]
    note = report.get('note')
    return ', '.join(word for word in words if word) + '.' + (f' {note}' if note else '')


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding='utf-8')
    print(file)


if __name__ == '__main__':
    sys.exit(main())
