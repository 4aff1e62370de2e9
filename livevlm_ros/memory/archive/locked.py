# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Host memory whose pages are locked, so that a GPU may read it."""

from __future__ import annotations

import logging
import weakref

import torch
from torch import Tensor

from livevlm_kernels.gather_runs import can_read_host, gather_runs

_log = logging.getLogger(__name__)


class LockedPages:
    """
    A host tensor that a GPU reads; unlocked when this is dropped, at the latest.

    :raises ValueError: if the system does not lock so much
    """

    def __init__(self, tensor: Tensor, device: torch.device) -> None:
        self._tensor, self._device = tensor, device
        self._reads: list[torch.cuda.Event] = []
        with torch.cuda.device(device):
            status = torch.cuda.cudart().cudaHostRegister(tensor.data_ptr(), tensor.nbytes, 0)
        if int(status):
            raise ValueError(
                f'archive_host_bytes: the GPU driver cannot lock {tensor.nbytes / 1e9:.1f} GB of '
                f'RAM (error {int(status)}): set less'
            )
        self._unlock = weakref.finalize(self, _unlock, tensor.data_ptr(), device)

    @staticmethod
    def of(tensor: Tensor, device: torch.device) -> LockedPages | None:
        """Lock a tensor's pages if the device can read them."""
        if not can_read_host(device) or not tensor.nbytes:
            return None
        pages = LockedPages(tensor, device)
        try:
            start = torch.zeros(1, dtype=torch.int64, device=device)
            gather_runs(tensor.view(-1), start, 1, unit=1, locked=True)
        except Exception:  # Triton needs a C compiler, for one
            _log.warning('the CPU fetches pages for the GPU: Triton fails', exc_info=True)
            pages.unlock()
            return None
        return pages

    def note_read(self) -> None:
        """Note that the current stream reads the tensor from here on."""
        self._reads = [read for read in self._reads if not read.query()]
        self._reads.append(torch.cuda.current_stream(self._device).record_event())

    def wait_for_reads(self) -> None:
        """Wait until what was noted has been read: before the tensor is written."""
        for read in self._reads:
            read.synchronize()
        self._reads = []

    def unlock(self) -> None:
        """Give the pages back, before the tensor is."""
        self.wait_for_reads()
        self._unlock()


def _unlock(pointer: int, device: torch.device) -> None:
    with torch.cuda.device(device):
        torch.cuda.cudart().cudaHostUnregister(pointer)
