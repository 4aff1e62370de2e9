# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video as a bag: its frames as jpegs at their own times, and a questions file to fill in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.replay.clip import WHOLE, Clip, Stretch
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.image_bag import image_bag
from livevlm_ros.replay.questions import questions_file
from livevlm_ros.replay.recording import is_storage
from livevlm_ros.replay.source import open_source
from livevlm_ros.replay.whole_file import write_whole

TEMPLATE = """\
# What `livevlm evaluate {bag}` asks, and when: seconds from the first frame.
- at: {end:.1f}
  question: what do you see now ?

# - at: 30.0
#   question: what color was the car ?
#   answer: [red]                # accepted answers; without them the question is not scored
#   evidence: [12.0, 15.5]       # seconds between which the answer was visible
#   choices: [red, blue, green]  # what may be answered, for --choices
#   type: car                    # kind of question: each has a row of the report
#   budget: 2.0                  # seconds that the answer may take
"""


class Written(NamedTuple):
    """
    What became of a video.

    :param frames: of the bag
    :param seconds: from the first frame to the last
    :param questions: the questions file beside the bag
    :param warnings: what the video lacks
    """

    frames: int
    seconds: float
    questions: Path
    warnings: list[str]


def write_video_bag(
    video: Path,
    bag: Path,
    *,
    fps: float | None = None,
    stretch: Stretch = WHOLE,
    focal: float = 0.0,
    progress: Callable[[float], None] = lambda share: None,
) -> Written:
    """
    Write a video's frames into a new bag; a questions file that is there already stays.

    :param fps: most frames written per second of the video; None: all
    :param stretch: what of the video is written
    :param focal: focal length of the camera in widths of the picture; 0: unknown
    :param progress: called with the share done, [0, 1]
    :raises BadInput: when the video cannot be used, or the bag exists
    """
    if video.is_dir() or is_storage(video):
        raise BadInput(f'{video}: a bag already; expected a video')
    source = Clip(open_source(video), stretch)
    period_ns = 0 if fps is None else round(1e9 / fps)
    frames = first_ns = last_ns = due_ns = 0
    with image_bag(bag, focal=focal) as write:
        try:
            for number, frame in enumerate(source.frames(), 1):
                due_ns = due_ns or frame.stamp_ns
                if frame.stamp_ns >= due_ns and callable(frame.pixels):
                    try:
                        write(frame.stamp_ns, frame.pixels())
                    except BadFrame as error:
                        source.warnings.append(str(error))
                        continue
                    frames, last_ns = frames + 1, frame.stamp_ns
                    first_ns = first_ns or last_ns
                    due_ns = max(due_ns + period_ns, frame.stamp_ns + period_ns // 2)
                progress(number / max(number, source.length))
            if not frames:
                raise BadInput(f'{video}: no frame of it can be written')
        except BaseException:
            shutil.rmtree(bag, ignore_errors=True)
            raise
    seconds = (last_ns - first_ns) / 1e9
    questions = questions_file(bag)
    if not questions.exists():
        write_whole(questions, TEMPLATE.format(bag=bag, end=seconds))
    return Written(frames, seconds, questions, source.warnings)
