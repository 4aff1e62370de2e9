# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a fault is: something done to a running node, and the words in which the node tells it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from livevlm_bench.over_ros.rig import Rig

DIAGNOSTICS, EVENTS, ANSWERS, REPLY = 'diagnostics', 'events', 'answers', 'reply'
"""Where a fault is told: on a topic of the node, or in the reply to whoever caused it."""


class Untold(RuntimeError):
    """A fault of which the node said nothing, or a promise that it broke: says which."""


class FaultClass(NamedTuple):
    """
    Faults of a kind.

    :param share: of a thousand faults of all kinds
    :param inject: does one to a node and returns where that was told
    """

    name: str
    share: int
    inject: Callable[[Rig, Random], str]
