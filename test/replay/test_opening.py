# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Opening an engine: loaded when it is returned, or refused in a line."""

import os
from pathlib import Path
from typing import Any

import pytest

from livevlm_ros.engine import EngineConfig, MemoryConfig, ModelConfig
from livevlm_ros.memory.folder_lock import FolderLock
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.opening import open_engine


def test_it_is_loaded_and_tells_how_far_it_is() -> None:
    shares: list[float] = []
    engine = open_engine(EngineConfig(), lambda phase, share: shares.append(share))
    assert engine.stats().state == 'loaded' and shares == sorted(shares) and shares[-1] == 1.0
    engine.cleanup()


def test_a_model_can_be_brought_along() -> None:
    def load(config: ModelConfig) -> Any:
        raise ValueError(f'{config.path} is not loaded here')

    with pytest.raises(BadInput, match='^embedded is not loaded here$'):
        open_engine(EngineConfig(), load=load)


def test_a_memory_in_the_folder_of_another_is_refused_in_one_line(tmp_path: Path) -> None:
    held = FolderLock(str(tmp_path))
    config = EngineConfig(memory=MemoryConfig(path=str(tmp_path)))
    with pytest.raises(BadInput, match=f'^{tmp_path} is in use by process {os.getpid()}: .*s$'):
        open_engine(config)
    held.release()


@pytest.mark.parametrize(
    ('config', 'why'),
    [
        (EngineConfig(model=ModelConfig('embeded')), 'no model folder embeded'),
        (
            EngineConfig(memory=MemoryConfig('full', full_max_tokens=3)),
            '3 tokens of full: less than one frame',
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused(config: EngineConfig, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        open_engine(config)
