# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import re

import pytest

from livevlm_ros.replay.accuracy import Report, rate
from livevlm_ros.replay.plots import COLORS
from livevlm_ros.replay.sweep_page import sweep_page


def point(frames: int, read: int, right: int) -> Report:
    return {
        'name': f'{frames} frames, {read} read',
        'long_term_frames': frames,
        'read_frames': read,
        'accuracy': rate(right, 20),
        'oldest_age': '<=64',
        'oldest': rate(right // 2, 10),
        'device_bytes': 100_000 * frames,
        'read_bytes': 1000 * frames,
        'first_token_ms': {'p50': 5 + read, 'p95': 9.0, 'p99': 9.0, 'max': 9.0},
        'statuses': {'OK': 20},
    }


@pytest.fixture
def swept() -> Report:
    return {
        'source': {'path': 'a<b', 'recordings': 2, 'left_out': [], 'frames': 20, 'seconds': 20.0},
        'model': 'embedded',
        'preset': 'balanced',
        'questions': {'scored': 20},
        'chance': 0.25,
        'majority': 0.375,
        'warnings': ['something <odd>'],
        'seconds_taken': 3.0,
        'points': [point(m, r, 10 + n) for n, m in enumerate((8, 30)) for r in (1, 4, 8)],
    }


def figures_of(page: str) -> list[str]:
    return re.findall('<figure>.*?</figure>', page, re.DOTALL)


def test_a_line_for_what_is_read_goes_over_bytes_and_a_line_a_budget_over_time(
    swept,
) -> None:
    by_bytes, by_time = figures_of(sweep_page(swept))
    assert 'against bytes on the device' in by_bytes and 'against the first token' in by_time
    assert all(f'>{read} read<' in by_bytes for read in (1, 4, 8))
    assert all(f'>{frames} frames<' in by_time for frames in (8, 30))
    assert COLORS[2] in by_bytes and COLORS[2] not in by_time, 'three numbers read, two budgets'


def test_what_guessing_gives_is_drawn_where_it_is_known(swept) -> None:
    for figure in figures_of(sweep_page(swept)):
        assert '>chance<' in figure and '>majority<' in figure
    for figure in figures_of(sweep_page({**swept, 'chance': None})):
        assert '>chance<' not in figure and '>majority<' in figure


def test_the_page_is_one_file_with_every_combination_and_all_warnings(swept) -> None:
    page = sweep_page(swept)
    assert 'http' not in page and page.count('<tr>') == 7
    assert '55.0 ± 11.1' in page and '800 kB' in page
    assert 'something &lt;odd&gt;' in page and 'a&lt;b' in page
    assert 'chance 25.0, majority 37.5' in page


def test_without_scored_questions_or_answers_nothing_is_drawn_of_them(swept) -> None:
    assert not figures_of(sweep_page({**swept, 'questions': {'scored': 0}}))
    silent = [{**p, 'first_token_ms': dict.fromkeys(('p50', 'p95'))} for p in swept['points']]
    (figure,) = figures_of(sweep_page({**swept, 'points': silent}))
    assert 'bytes' in figure
