# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from io import StringIO

from rich.console import Console

from livevlm_bench.table import bar_words, print_first_token

BAR = {'quotient': 'rekv@256 / livevlm@256', 'ms': [30.0, 12.0], 'value': 2.5, 'least': 1.5}


def test_a_bar_gives_both_numbers_and_says_whether_it_is_met() -> None:
    met = bar_words({**BAR, 'met': True})
    assert met == 'rekv@256 / livevlm@256 = 30.0 ms / 12.0 ms = 2.50, at least 1.5: met'
    growth = {'quotient': 'a / b', 'ms': [30.0, 12.0], 'value': 2.5, 'most': 1.2, 'met': False}
    assert bar_words(growth).endswith('at most 1.2: missed')


def test_rows_and_bars_are_printed() -> None:
    row = {
        'name': 'livevlm@256',
        'first_token_ms': {'p25': 11.0, 'p50': 12.0, 'p75': 13.0},
        'cpu_ms': {'p25': 14.0, 'p50': 15.0, 'p75': 16.0},
        'times_as_fast': 2.5,
        'tokens_read': 7921.4,
        'tokens_brought': 4704.0,
        'device_bytes': 211_700_000,
        'read_bytes': 21_480_000,
        'host_bytes': 0,
        'fill_s': 9.0,
    }
    setting = {
        'name': 'small',
        'dtype': 'bfloat16',
        'question_tokens': 20,
        'rows': [row],
        'bars': [{**BAR, 'met': True}],
    }
    found = {
        'threads': 1,
        'rounds': 21,
        'settings': [setting],
    }
    console = Console(width=80, record=True, file=StringIO())
    print_first_token(found, console)
    text = console.export_text()
    shown = ('livevlm@256', '12.0', '11.0..13.0', '15.0', '2.50', '7921', '4704', '212', '21.5')
    assert [each for each in (*shown, '1.5: met') if each not in text] == []
