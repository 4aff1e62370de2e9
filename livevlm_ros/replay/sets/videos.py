# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The videos of a set, found wherever its folder keeps them."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import cache
from pathlib import Path, PurePosixPath

import cv2

from livevlm_ros.replay.recording import is_video
from livevlm_ros.replay.sets.rows import LeftOut


class Videos:
    """
    An index of a folder's videos, by their names and those of the folders they lie in.

    :param folder: what the set was unpacked into; links to folders are followed
    """

    def __init__(self, folder: Path) -> None:
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        for place, folders, names in os.walk(folder, followlinks=True):
            folders.sort()
            for video in (Path(place, name) for name in sorted(names) if is_video(Path(name))):
                self._by_name[video.name].append(video)
                self._by_name[video.parent.name].append(video)

    def find(self, *named: str) -> Path:
        """
        Return the video whose path ends as an annotation names it.

        :param named: paths that it may have, the likelier first; one that ends with a slash names
            a folder that holds one video
        :raises LeftOut: where there is none
        """
        for name in named:
            wanted = PurePosixPath(name).parts
            for video in self._by_name.get(wanted[-1], []) if wanted else []:
                path = video.parent.parts if name.endswith('/') else video.parts
                if path[-len(wanted) :] == wanted:
                    return video
        raise LeftOut('its video is missing')


@cache
def video_length_s(video: Path) -> float:
    """
    Return how long a video says it is, infinite where it does not say.

    :raises LeftOut: for what OpenCV cannot decode
    """
    opened = cv2.VideoCapture(str(video.absolute()))
    if not opened.isOpened():
        raise LeftOut('its video cannot be decoded')
    fps, frames = opened.get(cv2.CAP_PROP_FPS), opened.get(cv2.CAP_PROP_FRAME_COUNT)
    opened.release()
    return (frames - 1) / fps if fps > 0 and frames > 0 else float('inf')
