# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The procedural camera: a street filmed at any size, with its ground truth and questions."""

from livevlm_ros.world.questions import NEVER_SHARE, AskedQuestion, score
from livevlm_ros.world.scene import CLASSES, COLORS, PLACES, Event, Thing
from livevlm_ros.world.wording import CHOICES, KINDS
from livevlm_ros.world.world import FOCAL, World

__all__ = [
    'CHOICES',
    'CLASSES',
    'COLORS',
    'FOCAL',
    'KINDS',
    'NEVER_SHARE',
    'PLACES',
    'AskedQuestion',
    'Event',
    'Thing',
    'World',
    'score',
]
