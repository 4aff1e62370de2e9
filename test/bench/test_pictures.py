# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
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
    for row in REPORTS[name].get('rows', ()):
        shown = row['name'] if 'name' in row else f'{row["frames"]:,}'
        assert f'>{shown}<' in drawn
    for setting in REPORTS[name].get('settings', ()):
        assert all(f'>{row["name"]}<' in drawn for row in setting['rows'])


def test_a_report_is_drawn_the_same_each_time() -> None:
    assert picture('ingest', REPORTS['ingest']) == picture('ingest', REPORTS['ingest'])


def test_what_a_table_says_better_is_not_drawn() -> None:
    assert picture('deadline', REPORTS['deadline']) is None
