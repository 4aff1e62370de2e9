# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a snapshot of an engine holds, and back into memory and album that are the equals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from livevlm_ros.engine.album import Album
from livevlm_ros.engine.timeline import Timeline
from livevlm_ros.memory import Memory, SnapshotError, State
from livevlm_ros.memory.snapshot import UnreadableSnapshot
from livevlm_ros.memory.state import alike, copied
from livevlm_ros.model import VideoLanguageModel


class ModelMark:
    """What a model is known by: its name, and what it makes of a picture."""

    def __init__(self, model: VideoLanguageModel) -> None:
        self._model = model
        self.model_id = model.model_id

    @cached_property
    def sight(self) -> Tensor:
        """What it makes of a picture, looked at once: all its vision weights tell in it."""
        rows, columns = np.mgrid[:480, :640]
        picture = np.stack((rows % 256, columns % 256, rows * columns // 1024 % 256), axis=-1)
        return copied(self._model.encode_frames([picture.astype(np.uint8)]))

    def state(self) -> State:
        """Return both, to `check`."""
        return State({'sight': self.sight}, {'id': self.model_id})

    def check(self, state: State) -> None:
        """
        Refuse what another model has seen.

        :raises SnapshotError: naming both
        """
        if state.facts['id'] != self.model_id or not alike(state.tensors['sight'], self.sight):
            same = ' with other weights' if state.facts['id'] == self.model_id else ''
            raise SnapshotError(
                f'of model {state.facts["id"]}{same}, here is {self.model_id}: load the weights '
                'it was made with'
            )


@dataclass(frozen=True, slots=True)
class Contents:
    """What is saved and restored together."""

    memory: Memory
    album: Album
    timeline: Timeline
    model: ModelMark

    def state(self) -> State:
        """Return all of it; the archive is read later, as it is now."""
        return State.joined(
            {
                'memory': self.memory.state(),
                'album': self.album.state(),
                'time': State({}, {'episodes': self.timeline.facts()}),
                'model': self.model.state(),
            }
        )

    def take(self, state: State, manifest: Path) -> None:
        """
        Let memory and album, which hold nothing, hold what a state says; time stays as it is.

        :param manifest: of the snapshot that it was read from
        :raises SnapshotError: if it is of no use; memory and album may be half restored
        :raises UnreadableSnapshot: if the disk has no room for what the archive keeps there
        """
        try:
            self.model.check(state.part('model'))
            self.memory.restore(state.part('memory'))
            self.album.restore(state.part('album'))
            Timeline().restore(state.part('time').facts['episodes'])  # of no use either, if not
        except OSError as error:
            hint = "for the archive's part: make room there, or raise archive_host_bytes"
            cause = OSError(error.errno, f'{error.strerror} {hint}')
            raise UnreadableSnapshot.because(manifest, cause) from error
        except (torch.OutOfMemoryError, MemoryError):  # no fault of the snapshot's
            raise
        except Exception as error:  # signed as ours, and yet not as any release writes it
            told = error if isinstance(error, SnapshotError) else repr(error)
            raise SnapshotError(f'{manifest}: {told}') from error
