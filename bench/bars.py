# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a suite is held to: quotients that must reach a limit, or stay below one."""

from __future__ import annotations

from typing import Any

from livevlm_bench.rounds import Quartiles


def bar(
    quotient: str,
    above: float,
    below: float,
    *,
    least: float | None = None,
    most: float | None = None,
    rounds: Quartiles | None = None,
    unit: str = 'ms',
) -> dict[str, Any]:
    """
    Judge a quotient by its least or by its most.

    :param quotient: what is divided by what
    :param rounds: quartiles of the quotient round by round; its median is judged then, otherwise
        `above` over `below`
    :param unit: of `above` and `below`
    """
    value = above / below if rounds is None else rounds.p50
    return {
        'quotient': quotient,
        'numbers': [above, below],
        'unit': unit,
        'value': value,
        'quartiles': None if rounds is None else rounds._asdict(),
        'least': least,
        'most': most,
        'met': (least is None or value >= least) and (most is None or value <= most),
    }


def bar_words(bar: dict[str, Any]) -> str:
    """Say a bar in a line."""
    bound = 'most' if bar['least'] is None else 'least'
    above, below = (f'{number:.1f} {bar["unit"]}' for number in bar['numbers'])
    quartiles = bar['quartiles']
    spread = '' if quartiles is None else f' ({quartiles["p25"]:.2f} to {quartiles["p75"]:.2f})'
    return (
        f'{bar["quotient"]} = {above} / {below} = {bar["value"]:.2f}{spread}, '
        f'at {bound} {bar[bound]:.3g}: {"met" if bar["met"] else "missed"}'
    )
