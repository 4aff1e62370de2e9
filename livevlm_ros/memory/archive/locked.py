# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Host memory whose pages are locked as it fills, so that a GPU may read it."""

from __future__ import annotations

import logging
import weakref
from contextlib import suppress

import torch
from torch import Tensor

from livevlm_kernels.gather_runs import can_read_host, gather_runs

PIECE_BYTES = 64 * 2**20
"""Bytes locked at a time, whole pages: little more is locked than is in use."""

_log = logging.getLogger(__name__)


class LockedPages:
    """
    A host tensor that a GPU reads as far as it is locked; unlocked when dropped, at the latest.

    `nbytes` are locked, from its start on, piece by piece. The GPU and the host know a locked page
    by the same address, so a GPU reads the pieces as one tensor.
    """

    def __init__(self, tensor: Tensor, device: torch.device) -> None:
        self._tensor, self._device = tensor, device
        self._reads: list[torch.cuda.Event] = []
        self._pieces: list[int] = []  # where they start
        self.nbytes = 0
        self._unlock = weakref.finalize(self, _unlock, self._pieces, device)

    @staticmethod
    def of(tensor: Tensor, device: torch.device) -> LockedPages | None:
        """
        Lock the first pages of a tensor if the device can read them.

        :raises ValueError: if the system does not lock any
        """
        if not can_read_host(device) or not tensor.nbytes:
            return None
        pages = LockedPages(tensor, device)
        if not pages.reach(min(PIECE_BYTES, tensor.nbytes)):
            raise ValueError(
                f'archive_host_bytes: the GPU driver cannot lock {PIECE_BYTES / 1e6:.0f} MB of '
                'RAM: raise the limit of locked memory (ulimit -l), or free some'
            )
        try:
            start = torch.zeros(1, dtype=torch.int64, device=device)
            gather_runs(tensor.view(-1), start, 1, unit=1, locked=True)
        except Exception:  # Triton needs a C compiler, for one
            _log.warning('the CPU fetches pages for the GPU: Triton fails', exc_info=True)
            pages.unlock()
            return None
        return pages

    def reach(self, nbytes: int) -> bool:
        """Lock at least so many bytes from the start on; return whether the system does."""
        first = self._tensor.data_ptr()
        while self.nbytes < nbytes:
            start = first + self.nbytes
            end = (start // PIECE_BYTES + 1) * PIECE_BYTES  # no two pieces share a page
            end = min(end, first + self._tensor.nbytes)
            with torch.cuda.device(self._device):
                status = torch.cuda.cudart().cudaHostRegister(start, end - start, 0)
            if int(status):
                self._clear_error()
                return False
            self._pieces.append(start)
            self.nbytes = end - first
        return True

    def _clear_error(self) -> None:
        """Take the failed call's error, which the next kernel's launch would raise otherwise."""
        with suppress(RuntimeError):
            torch.zeros(1, device=self._device)

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


def _unlock(pieces: list[int], device: torch.device) -> None:
    with torch.cuda.device(device):
        for piece in pieces:
            torch.cuda.cudart().cudaHostUnregister(piece)
