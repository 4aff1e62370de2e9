# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Opening an engine for work without a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livevlm_ros.engine import checkpoint_folder
from livevlm_ros.replay.errors import BadInput

if TYPE_CHECKING:  # they bring torch
    from livevlm_ros.engine import Engine, EngineConfig
    from livevlm_ros.engine.parts import LoadModel, Progress


def open_engine(
    config: EngineConfig,
    progress: Progress = lambda phase, share: None,
    *,
    load: LoadModel | None = None,
) -> Engine:
    """
    Load an engine and start none of its threads; a wrong name is told before torch is imported.

    :param progress: called with the phase that begins and the share done, [0, 1]
    :param load: makes the model; None: loads its checkpoint
    :raises BadInput: for weights that cannot be used, or a memory that they cannot have
    """
    try:
        checkpoint_folder(config.model.path)
        from livevlm_ros.engine import Engine

        engine = Engine(config) if load is None else Engine(config, load=load)
        engine.load(progress)
    except ValueError as error:
        raise BadInput(str(error)) from error
    return engine
