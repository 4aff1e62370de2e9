# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated street as a source, where nobody has a recording at hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from livevlm_ros.engine.messages import Frame
from livevlm_ros.replay.recording import CAMERA
from livevlm_ros.replay.video import START_NS
from livevlm_ros.world import World

SECONDS = 120
SIZE = (320, 240)  # width and height in pixels
EXAMPLES = 3


class StreetSource:
    """
    Two minutes of the simulated camera, a frame a second.

    :param seed: which stream
    """

    def __init__(self, seed: int = 7) -> None:
        self.path = Path('the simulated street')
        self.warnings: list[str] = []
        self.skipped: dict[str, int] = {}
        self.length = SECONDS
        self._world = World(seed, SECONDS)

    def frames(self) -> Iterator[Frame]:
        """Film the frames in order."""
        for second in range(SECONDS):
            stamp_ns = START_NS + second * 1_000_000_000
            yield Frame(CAMERA, stamp_ns, partial(self._world.image, second, SIZE))

    def examples(self) -> list[str]:
        """Return some questions that have an answer at the end."""
        end = (SECONDS - 1.0, SECONDS - 1.0)
        return [asked.question for asked in self._world.questions(count=EXAMPLES, at=end)]
