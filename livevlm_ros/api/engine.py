# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The engine of a program without ROS: it watches recordings and is asked, in one thread."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from livevlm_ros.api.answer import Answer
from livevlm_ros.api.feed import CLOSED, Feed, Given
from livevlm_ros.api.question import Fields, question_of
from livevlm_ros.api.stream import Stream
from livevlm_ros.api.watching import Watching
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.replay.opening import open_engine
from livevlm_ros.replay.recording import CAMERA
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.source import open_alone

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros import engine
    from livevlm_ros.engine.parts import LoadModel

EVERY_FRAME = 1000.0  # a second: the most that the engine takes


class Engine:
    """A camera memory that is shown recordings and asked about them, by one thread at a time."""

    def __init__(self, config: engine.EngineConfig, *, load: LoadModel | None = None) -> None:
        self._engine: engine.Engine | None = open_engine(config, load=load)
        self._feed = Feed(self._engine, config.cameras)
        self._watching: Watching | None = None

    @classmethod
    def open(
        cls,
        model: str = 'embedded',
        *,
        preset: str = 'balanced',
        device: str = 'cpu',
        fps: float = EVERY_FRAME,
        cameras: Sequence[str] = (CAMERA,),
        settings: Mapping[str, object] | None = None,
    ) -> Engine:
        """
        Load a model, with an empty memory.

        :param model: `embedded`, a checkpoint folder or a hub name
        :param preset: memory preset, such as `recent`
        :param device: `cpu`, `cuda` or `cuda:N`
        :param fps: most frames used per second; by default every frame is used
        :param cameras: names of the cameras; recordings belong to the first
        :param settings: by the names that `--set` takes, such as `memory.long_term_frames`
        :raises BadInput: for a model, preset, device or setting that cannot be had
        """
        given = {'model.device': device, **(settings or {})}
        config = engine_config(
            model=model,
            preset=preset,
            fps=fps,
            given=[f'{name}={_typed(value)}' for name, value in given.items()],
            cameras=cameras,
        )
        return cls(config)

    def watch(
        self, frames: str | os.PathLike[str] | Iterable[Given], *, topic: str | None = None
    ) -> Watching:
        """
        Watch frames; they follow those that were watched before.

        :param frames: path of a video, a bag or a folder with one of them; or pairs `(seconds,
            image)`, with several cameras `(seconds, image, camera)`, where an image is a uint8 RGB
            array [height, width, 3] or something that NumPy makes one of, such as Pillow's
        :param topic: image topic, where a bag has several
        :returns: the frames on their way: loop over them, or call `read`; otherwise the next
            question reads them all
        :raises BadInput: for a path that is no recording
        """
        self._opened()
        self._read_in()
        if isinstance(frames, str | os.PathLike):
            source = open_alone(Path(frames), topic=topic)
            shown, name = self._feed.recorded(source), str(source.path)
            self._watching = Watching(self._feed, shown, name, source)
        else:
            self._watching = Watching(self._feed, self._feed.given(frames), 'frames')
        return self._watching

    def ask(self, question: str, **fields: Unpack[Fields]) -> Answer:
        """
        Ask, and wait for the answer.

        :param question: in words; it stands alone, "it" refers to nothing
        :param fields: see `Fields`
        :raises BadInput: for a question that cannot be asked so
        :raises NotDone: when the model fails, or the engine is closed
        """
        return self.stream(question, **fields).answer

    def stream(self, question: str, **fields: Unpack[Fields]) -> Stream:
        """
        Ask, and hear the answer grow.

        :param question: as `ask` has it
        :param fields: see `Fields`
        :returns: the pieces of the answer, to loop over; its `answer` has the evidence
        :raises NotDone: when the engine is closed
        """
        engine = self._opened()
        self._read_in()
        seconds = self._feed.seconds
        asked = question_of(question, fields, seconds)
        engine.start()
        return Stream(engine.begin(asked), seconds.zero_ns)

    def clear(self) -> int:
        """
        Forget every frame; second 0 is then that of the next one.

        :returns: how many frames the memory held
        :raises NotDone: when the engine is closed
        """
        engine, self._watching = self._opened(), None
        self._feed.begin_anew()
        return engine.clear()

    def close(self) -> None:
        """Give back model and memory, as the end of a `with` block does; nothing when closed."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.cleanup()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _opened(self) -> engine.Engine:
        if self._engine is None:
            raise NotDone(CLOSED)
        return self._engine

    def _read_in(self) -> None:
        """Read what is watched and no loop has begun with."""
        if self._watching is not None and not self._watching.begun:
            self._watching.read()


def _typed(value: object) -> str:
    """Return a setting as it is typed behind `--set`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
