# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a store as they were, read by another thread while the store goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor


class Forgotten(RuntimeError):
    """What is being read has been forgotten meanwhile."""


class FrozenRows:
    """
    Rows as they are when this is made. Copied are only those that are about to be written over.

    :param places: where the rows lie, int64 [rows]
    :param read: gives copies of rows by their places
    :param lock: held by whoever writes rows, and before that calls `keep`
    """

    def __init__(
        self, places: Tensor, read: Callable[[Tensor], Tensor], lock: threading.RLock
    ) -> None:
        self._places, self._read, self._lock = places, read, lock
        self._untouched = set(places.tolist())
        self._kept: dict[int, Tensor] = {}
        self._forgotten = False

    def keep(self, place: int) -> None:
        """Copy a row that is about to be written over."""
        if place in self._untouched:
            self._kept[place] = self._read(torch.tensor([place]))[0]
            self._untouched.remove(place)

    def forget(self) -> None:
        """Let reading fail from now on: the rows are given up."""
        self._forgotten, self._kept = True, {}
        self._untouched.clear()

    def read(self, first: int, last: int) -> Tensor:
        """
        Return copies of some of the rows; writers are not held up.

        :raises Forgotten: if the rows have been given up
        """
        places = self._places[first:last]
        rows = self._read(places)  # also what is being written over: that is kept by now
        with self._lock:
            if self._forgotten:
                raise Forgotten('the memory was cleared')
            for at, place in enumerate(places.tolist()):
                if place in self._kept:
                    rows[at] = self._kept[place]
        return rows
