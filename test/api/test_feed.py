# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that programs give, and those of recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from livevlm_ros.api.watching import Watching
from livevlm_ros.engine.messages import BadFrame, Frame
from livevlm_ros.replay.errors import BadInput

GREY = np.full((48, 64, 3), 100, np.uint8)
SECOND = 10**9


@pytest.mark.parametrize(
    ('item', 'why'),
    [
        (GREY, 'got ndarray, expected .seconds, image.'),
        ((3.0,), 'got tuple, expected .seconds, image.'),
        ((3.0, GREY / 255), r'got float64 \[48, 64, 3\], expected a uint8 array'),
        ((3.0, GREY[..., 0]), r'got uint8 \[48, 64\]'),
        ((3.0, None), 'got object'),
        ((-1.0, GREY), 'got -1.0, expected seconds'),
        ((float('nan'), GREY), 'got nan, expected seconds'),
        (('3', GREY), "got '3', expected seconds"),
        ((2.0, GREY), 'second 2 comes 0 s after the one before; expected a millisecond'),
        ((1.0, GREY), 'second 1 comes -1 s after'),
        ((4000.0, GREY), 'second 4000 comes 3998 s after the one before; .* an hour'),
        ((3.0, GREY, 'rear'), "got camera 'rear', expected one of camera"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_number(engine: Any, item: Any, why: str) -> None:
    watching = engine.watch([(2.0, GREY), item])
    with pytest.raises(BadInput, match=f'^frame 2: {why}'):
        watching.read()
    assert watching.used == 1


def test_images_of_other_libraries_and_times_of_numpy_are_taken(engine: Any) -> None:
    seconds = np.linspace(0, 0.2, 3)
    assert engine.watch(zip(seconds, [Image.fromarray(GREY)] * 3, strict=True)).read().used == 3


def test_a_list_is_taken_and_nothing_is_refused(engine: Any) -> None:
    assert list(engine.watch(list(enumerate([GREY] * 3)))) == [0, 1, 2]
    with pytest.raises(BadInput, match='frames: no frame can be used: it has none'):
        engine.watch([]).read()


class Recording:
    """Frames at some seconds, of which the torn ones cannot be decoded."""

    def __init__(self, seconds: list[float], torn: set[float] = frozenset()) -> None:
        self.path, self.length = Path('walk'), len(seconds)
        self.warnings, self.skipped = ['walk: cut off'], {}
        self._seconds, self._torn = seconds, torn

    def frames(self) -> Iterator[Frame]:
        for second in self._seconds:
            pixels = _torn if second in self._torn else GREY
            yield Frame('camera', round(second * SECOND), pixels)


def _torn() -> Any:
    raise BadFrame('torn')


def watch(engine: Any, recording: Recording) -> Watching:
    return Watching(engine._feed, engine._feed.recorded(recording), 'walk', recording)


def test_a_torn_frame_costs_itself_and_warnings_are_told(engine: Any) -> None:
    with pytest.warns(UserWarning, match='walk: cut off'):
        watching = watch(engine, Recording([1000, 1001, 1002], {1001})).read()
    assert str(watching) == 'walk: 2 of 3 frames used'
    assert engine._feed.newest_s == 2


@pytest.mark.filterwarnings('ignore:walk')
def test_a_recording_without_a_good_frame_is_refused_with_the_cause(engine: Any) -> None:
    with pytest.raises(BadInput, match='walk: no frame can be used: .*torn'):
        watch(engine, Recording([1, 2], {1, 2})).read()


@pytest.mark.filterwarnings('ignore:walk')
@pytest.mark.parametrize(
    ('second', 'told'),
    [
        (1030, [30, 31]),  # the same clock, a pause
        (1002, [3, 4]),  # the same time again
        (5, [3, 4]),  # another clock
        (90_000, [3, 4]),  # another day
    ],
)
def test_a_recording_goes_on_where_its_clock_does_not(
    engine: Any, second: float, told: list[float]
) -> None:
    watch(engine, Recording([1000, 1001, 1002])).read()
    again = watch(engine, Recording([second, second + 1]))
    assert list(again) == told and again.used == 2
