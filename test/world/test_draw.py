# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Drawing: the same scene at two sizes looks the same, colors can be told apart."""

import cv2
import numpy as np
import pytest

from livevlm_ros.world import CLASSES, PLACES, Thing
from livevlm_ros.world.draw import CENTRE, Pose, Scenery, draw_frame
from livevlm_ros.world.scene import colors_of

SCENERY = Scenery.choose(np.random.default_rng(4))


def drawn(thing: Thing | None, size: tuple[int, int] = (192, 144)) -> np.ndarray:
    poses = [] if thing is None else [Pose(thing, CENTRE[thing.place], 0.82, 1.1)]
    rng = np.random.default_rng(1)
    return draw_frame(SCENERY, poses, t=2.0, size=size, rng=rng).astype(float)


@pytest.mark.parametrize('kind', CLASSES)
def test_a_scene_looks_the_same_at_two_sizes(kind):
    thing = Thing(kind, colors_of(kind)[0], 'left')
    small = cv2.resize(drawn(thing, (320, 240)), (96, 96), interpolation=cv2.INTER_AREA)
    large = cv2.resize(drawn(thing, (1280, 960)), (96, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(small - large).mean() < 3


@pytest.mark.parametrize('kind', CLASSES)
@pytest.mark.parametrize('place', PLACES)
def test_a_thing_changes_its_own_third_of_the_frame_and_no_other(kind, place):
    changed = np.abs(drawn(Thing(kind, colors_of(kind)[0], place)) - drawn(None)).sum(2) > 60
    thirds = [third.sum() for third in np.split(changed, 3, axis=1)]
    own = PLACES.index(place)
    assert thirds[own] > 100
    assert sum(thirds) - thirds[own] <= 0.05 * thirds[own]


@pytest.mark.parametrize('kind', [kind for kind in CLASSES if len(colors_of(kind)) > 1])
def test_each_color_of_a_class_looks_different(kind):
    looks = [drawn(Thing(kind, color, 'middle')) for color in colors_of(kind)]
    for index, look in enumerate(looks):
        assert all((np.abs(look - other).sum(2) > 60).sum() > 50 for other in looks[:index])
