# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from io import StringIO

from rich.console import Console

from livevlm_bench.bars import bar
from livevlm_bench.question_table import print_questions


def test_rows_and_bars_are_printed() -> None:
    def lap(middle: float) -> dict[str, dict[str, float]]:
        return {
            'wall_ms': {'p25': middle - 1, 'p50': middle, 'p75': middle + 1},
            'cpu_ms': {'p25': 14.0, 'p50': 15.0, 'p75': 16.0},
            'times_as_fast': {'p25': 2.25, 'p50': 2.5, 'p75': 2.75},
        }

    row = {
        'name': 'livevlm@256',
        'first_token': lap(12.0),
        'answer': lap(22.0),
        'tokens_read': 7921.4,
        'tokens_brought': 4704.0,
        'pages_ranked': 966.0,
        'device_bytes': 211_700_000,
        'read_bytes': 21_480_000,
        'host_bytes': 0,
    }
    setting = {
        'name': 'small',
        'baseline': 'rekv-authors',
        'dtype': 'bfloat16',
        'question_tokens': 20,
        'rows': [row],
        'bars': [bar('rekv / livevlm', 30.0, 12.0, least=1.5)],
    }
    found = {'machine': {'threads': 1}, 'rounds': 21, 'settings': [setting]}
    console = Console(width=80, record=True, file=StringIO())
    print_questions({**found, 'answer_tokens': 8}, console)
    text = console.export_text()
    shown = ['livevlm@256', '12.0', '11.0..13.0', '15.0', '2.50', '2.25..2.75', '22.0']
    shown += ['x rekv-authors', '7921', '4704', '966', '212', '21.5', 'at least 1.5: met']
    assert [each for each in shown if each not in text] == []
    print_questions({**found, 'answer_tokens': 1}, console)
    assert '22.0' not in console.export_text()
