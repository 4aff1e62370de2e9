# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import re
from pathlib import Path

import pytest

from livevlm_bench.gpu_page import NO_RUN, page
from livevlm_bench.page import bench_page, machine, main, read_reports, spread, to_file

DOCS = Path(__file__).resolve().parents[2] / 'docs'
REPORTS = read_reports(DOCS / 'bench')
AGAIN = 'write it anew: `make pages`'


def test_the_page_is_what_its_reports_say() -> None:
    assert (DOCS / 'bench.md').read_text(encoding='utf-8') == bench_page(REPORTS), AGAIN


def test_the_page_of_the_gpu_is_what_its_report_says() -> None:
    assert (DOCS / 'gpu.md').read_text(encoding='utf-8') == page(REPORTS.get('gpu')), AGAIN


def test_every_picture_of_the_page_is_there() -> None:
    shown = re.findall(r'!\[.*\]\((.+)\)', (DOCS / 'bench.md').read_text(encoding='utf-8'))
    assert shown and all((DOCS / file).is_file() for file in shown)


@pytest.mark.parametrize('name', sorted(REPORTS))
def test_a_report_has_the_head_of_all_and_is_small(name: str) -> None:
    report = REPORTS[name]
    assert report.keys() >= {'suite', 'date', 'seed', 'machine', 'versions'}
    assert report['versions'].keys() >= {'livevlm_ros', 'commit', 'python', 'torch'}
    assert to_file(report)[0] == name
    assert (DOCS / f'bench/{name}.json').stat().st_size < 40_000


def test_a_suite_that_was_not_run_is_said_to_have_no_report() -> None:
    text = bench_page({})
    assert text.count('No report is filed.') == 12
    assert '| `balanced' not in text


def test_another_number_is_another_page() -> None:
    changed = json.loads(json.dumps(REPORTS))
    changed['deadline']['rows'][-1]['late'] = 4711
    assert '4711' in bench_page(changed)


def test_reports_are_filed_without_single_questions_and_pages_written(tmp_path: Path) -> None:
    (tmp_path / 'docs/bench').mkdir(parents=True)
    given = tmp_path / 'any.json'
    given.write_text(json.dumps({**REPORTS['language-1536'], 'questions': [{'ask': 'what ?'}]}))
    ingest = tmp_path / 'other.json'
    ingest.write_text(json.dumps(REPORTS['ingest']))
    docs = tmp_path / 'docs'
    assert main([str(given), str(ingest), '--docs', str(docs)]) == 0
    filed = read_reports(docs / 'bench')
    assert filed == {name: REPORTS[name] for name in ('ingest', 'language-1536')}
    assert (docs / 'bench.md').read_text() == bench_page(filed)
    assert (docs / 'bench/ingest.svg').is_file()
    assert (docs / 'gpu.md').read_text() == f'# On a GPU\n\n{NO_RUN}\n'


def test_a_line_says_where_a_report_was_made() -> None:
    report = {
        'date': '2026-01-02',
        'machine': {'cpu': 'EPYC', 'cores': 2, 'threads': 1, 'load': 1.04},
        'versions': {'commit': None, 'python': '3.11.7', 'torch': '2.13.0'},
        'note': 'Nothing else ran.',
    }
    assert machine(report) == (
        'Measured on 2026-01-02, on an earlier tree, with Python 3.11.7 and torch 2.13.0 on EPYC, '
        '2 cores, 1 of them used, 5-minute load 1.0, the suite itself included. Nothing else ran.'
    )
    report['versions']['commit'] = 'abc1234'
    assert ', at commit abc1234, ' in machine(report)


def test_quartiles_are_written_where_they_say_anything() -> None:
    assert spread({'p25': 1.0, 'p50': 1.5, 'p75': 2.25}, 2) == '1.50 (1.00 to 2.25)'
    assert spread({'p25': None, 'p50': 1.5, 'p75': None}) == '1.5'
    assert spread({'p25': 1.0, 'p50': 1.0, 'p75': 1.0}) == '1.0'
