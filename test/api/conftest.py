# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Engines over the simulated street, whose model is loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from livevlm_ros.api import Engine
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.world import World

FPS = 10


@pytest.fixture(scope='session')
def model() -> Any:
    from livevlm_ros.model import ModelConfig, load_model

    return load_model(ModelConfig(dtype='float32'))


@pytest.fixture
def make_engine(model: Any) -> Iterator[Callable[..., Engine]]:
    """Open engines that use every frame; they are closed after the test."""
    engines: list[Engine] = []

    def make(**options: Any) -> Engine:
        config = engine_config(**{'fps': 1000.0, **options})
        engines.append(Engine(config, load=lambda config: model))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine()


@pytest.fixture(scope='session')
def street() -> World:
    return World(7, 60)


@pytest.fixture
def film(street: World) -> Callable[..., Iterator[tuple[float, np.ndarray]]]:
    """Give frames of the street with their seconds."""

    def film(
        count: int, *, fps: float = 1.0, begin: float = 0.0
    ) -> Iterator[tuple[float, np.ndarray]]:
        for number in range(count):
            yield begin + number / fps, street.image(number, (320, 240))

    return film


@pytest.fixture
def video(tmp_path: Path, street: World) -> Callable[[str, int], Path]:
    """Write a video of the street, ten frames a second."""

    def write(name: str, frames: int) -> Path:
        file = tmp_path / name
        writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*'mp4v'), FPS, (320, 240))
        for number in range(frames):
            writer.write(cv2.cvtColor(street.image(number, (320, 240)), cv2.COLOR_RGB2BGR))
        writer.release()
        return file

    return write
