# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The streaming key-value cache: what was seen, as keys and values the language layers attend to.

Keys are kept before rotary position, so a stream never runs out of positions; every read puts its
tokens at 0..n-1. This room knows layers, heads and source frames; it knows no pixels, no text and
no ROS.
"""

from livevlm_ros.memory.config import PREFIX_POSITIONS, RESERVED_POSITIONS, MemoryConfig
from livevlm_ros.memory.evidence import EvidenceLayers
from livevlm_ros.memory.memory import Memory, MemorySizes
from livevlm_ros.memory.shape import CacheShape, FrameRef
from livevlm_ros.memory.view import QuestionView, StepView, TooManyTokens, View

__all__ = [
    'PREFIX_POSITIONS',
    'RESERVED_POSITIONS',
    'CacheShape',
    'EvidenceLayers',
    'FrameRef',
    'Memory',
    'MemoryConfig',
    'MemorySizes',
    'QuestionView',
    'StepView',
    'TooManyTokens',
    'View',
]
