# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from livevlm_bench.page import read_reports
from livevlm_bench.pictures import GREY, PICTURES, picture
from livevlm_ros.replay.plots import INK

REPORTS = read_reports(Path(__file__).resolve().parents[2] / 'docs/bench')


@pytest.mark.parametrize('name', sorted(PICTURES.keys() & REPORTS.keys()))
def test_a_report_is_drawn_in_ink_for_black_and_white_pages(name: str) -> None:
    drawn = picture(name, REPORTS[name])
    assert drawn is not None
    ElementTree.fromstring(drawn)
    assert GREY in drawn and INK not in drawn
    assert all(f'>{label}<' in drawn for label in _labels(REPORTS[name].get('rows', ())))
    for setting in REPORTS[name].get('settings', ()):
        assert all(f'>{row["name"]}<' in drawn for row in setting['rows'])


def _labels(rows: Sequence[dict]) -> list[str]:
    """Return how the rows of a report are called in its picture."""
    if rows and 'budget_s' in rows[0]:  # the last row is of all budgets
        return ['{:g} to {:g} s'.format(*row['budget_s']) for row in rows[:-1] if row['questions']]
    return [row['name'] if 'name' in row else f'{row["frames"]:,}' for row in rows]


def test_a_report_is_drawn_the_same_each_time() -> None:
    assert picture('ingest', REPORTS['ingest']) == picture('ingest', REPORTS['ingest'])


def test_what_a_table_says_better_is_not_drawn() -> None:
    assert picture('standing', REPORTS['standing']) is None
