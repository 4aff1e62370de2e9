# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of clocks: stamps of the field that step, wrap, stand still and begin anew."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from random import Random

from livevlm_bench.over_ros.fault import DIAGNOSTICS, FaultClass, Untold
from livevlm_bench.over_ros.rig import Rig
from livevlm_bench.over_ros.sensors import EACH_S, STEADY

IMAGE_S = 0.04  # between two images
TRIES, TRY_S = 4, 2.0
IN_TIME = [0.0] * 4  # before a fault: what the one before left behind is over
LOOP = 12  # images of a recording that is played again and again

OFFSETS_S: dict[str, Sequence[float]] = {
    'NTP steps back 0.5 s': [-0.5] * 12,
    'NTP steps back 1.5 s': [-1.5] * 12,
    'NTP steps back 5 s': [-5.0] * 12,
    'a clock of 32 bits wraps': [-4294967.296] * 12,
    'two images 4.3 s in the past': [0.0, 0.0, -4.3, -4.3, 0.0, 0.0, 0.0],
    'one image 4.3 s in the past': [0.0, 0.0, -4.3, 0.0, 0.0, 0.0],
    'every other image 7 s in the past': [0.0, -7.0] * 6,
    'pairs of images 7 s apart': [0.0, 0.0, -7.0, -7.0] * 3,
    'neighbours exchanged': [EACH_S, -EACH_S] * 6,
    'two drivers 2 s apart': [0.0, -2.0] * 6,
    'two drivers 0.5 s apart': [0.0, -0.5] * 6,
    'the stamp stands still': [-EACH_S * number for number in range(1, 13)],
    'the recording begins anew': [-60.0] * 12,
}
"""How far each image's stamp is from where it belongs, in seconds."""


def clock_faults() -> list[FaultClass]:
    """Return the classes of stamps: the sequences, and loops."""
    return [FaultClass('clock', 65, _sequence), FaultClass('loop', 20, _loop)]


def _sequence(rig: Rig, draw: Random) -> str:
    name = draw.choice(sorted(OFFSETS_S))
    return _show(rig, name, OFFSETS_S[name])


def _loop(rig: Rig, draw: Random) -> str:
    rounds = draw.randrange(2, 4)
    offsets = [-LOOP * EACH_S * number for number in range(1, rounds + 1) for _ in range(LOOP)]
    return _show(rig, f'{rounds} loops', offsets)


def _show(rig: Rig, name: str, offsets_s: Sequence[float]) -> str:
    """Show images of these stamps; the node must tell of them, and lose no memory."""
    with rig.sensors.steady_held():
        _publish(rig, IN_TIME)
    counts = (partial(rig.number, 'ingest', 'time_jumps'), _bad(rig))
    before, resets = [count() for count in counts], rig.number('ingest', 'time_resets')

    def is_told() -> bool:
        return any(count() > was for count, was in zip(counts, before, strict=True))

    with rig.sensors.steady_held():
        for _ in range(TRIES):  # best effort: an image may be lost on the way
            _publish(rig, offsets_s)
            try:
                rig.until(is_told, 'it is told', TRY_S)
            except Untold:
                continue
            break
        else:
            raise Untold(f'{name}: neither a jump in time nor a bad image is told')
    if rig.number('ingest', 'time_resets') > resets:
        raise Untold(f'{name}: the memory was cleared')
    return DIAGNOSTICS


def _publish(rig: Rig, offsets_s: Sequence[float]) -> None:
    for offset_s in offsets_s:
        rig.sensors.publish(STEADY, rig.sensors.picture(), offset_s=offset_s)
        time.sleep(IMAGE_S)


def _bad(rig: Rig) -> partial[float]:
    return partial(rig.number, f'camera/{STEADY}', 'dropped_bad')
