# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node of this package, which writes down each step of its engine: a process of its own."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from livevlm_ros.engine import loop
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.messages import Frame
from livevlm_ros.node.heap import share_few_heaps
from livevlm_ros.node.main import main
from livevlm_ros.node.stopping import hear_signals

STEPS = 'LIVEVLM_STEPS'
"""Environment variable that names the file."""


class Seen(NamedTuple):
    """
    What has come of a camera.

    :param stamp_ns: of the newest image
    """

    images: int
    stamp_ns: int


class Step(NamedTuple):
    """
    A step that has put frames into the memory.

    :param began_s: on the steady clock
    :param frames: that it put there
    :param seen: of each camera by the end of the step
    """

    began_s: float
    took_ms: float
    frames: int
    seen: dict[str, Seen]


def read_steps(file: Path) -> Iterator[Step]:
    """Give the steps that a node has written down, in order."""
    for line in file.read_text(encoding='utf-8').splitlines():
        began_s, took_ms, frames, seen = json.loads(line)
        yield Step(
            began_s, took_ms, frames, {camera: Seen(*each) for camera, each in seen.items()}
        )


def write_steps(file: TextIO) -> None:
    """Let engines of this process write down their steps."""
    put, take_step = Ingest.put, loop.take_step
    seen: dict[str, Seen] = {}

    @wraps(put)
    def counted(ingest: Ingest, frame: Frame) -> bool:
        images = seen[frame.camera].images if frame.camera in seen else 0
        seen[frame.camera] = Seen(images + 1, frame.stamp_ns)
        return put(ingest, frame)

    @wraps(take_step)
    def timed(*given: Any) -> list[Frame]:
        began_s = time.monotonic()
        frames = take_step(*given)
        took_ms = 1e3 * (time.monotonic() - began_s)
        if frames:
            file.write(json.dumps([began_s, took_ms, len(frames), dict(seen)]) + '\n')
            file.flush()
        return frames

    for owner, name, work in ((Ingest, 'put', counted), (loop, 'take_step', timed)):
        setattr(owner, name, work)


if __name__ == '__main__':
    share_few_heaps()
    with Path(os.environ[STEPS]).open('w', encoding='utf-8') as steps:
        write_steps(steps)
        sys.exit(main(hear_signals()))
