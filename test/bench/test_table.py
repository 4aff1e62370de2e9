# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from io import StringIO

import pytest
from rich.console import Console

from livevlm_bench.table import megabytes, new_table, quartile_cells


def test_numbers_stand_on_the_right_of_names() -> None:
    table = new_table('name', 'ms')
    table.add_row('a', '1')
    table.add_row('long', '100')
    console = Console(width=40, record=True, file=StringIO())
    console.print(table)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    (few,), (many,) = ([line for line in lines if name in line.split()] for name in ('a', 'long'))
    assert few.index('a') == many.index('long') and len(few) == len(many)


def test_a_median_stands_beside_its_quartiles() -> None:
    assert quartile_cells({'p25': 1.04, 'p50': 2.0, 'p75': 3.0}) == ('2.0', '1.0..3.0')
    assert quartile_cells({'p25': 1.04, 'p50': 2.0, 'p75': 3.0}, 2)[1] == '1.04..3.00'


@pytest.mark.parametrize(
    ('count', 'shown'), [(0, '0.0'), (1_234_000, '1.2'), (123_456_000, '123')]
)
def test_few_megabytes_have_a_digit_after_the_point(count: int, shown: str) -> None:
    assert megabytes(count) == shown
