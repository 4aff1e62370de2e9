# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from threading import RLock

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory.archive.frozen import Forgotten, FrozenRows


class Store:
    """Rows of which each holds its place, written over by others."""

    def __init__(self, rows: int) -> None:
        self.rows, self.copied = torch.arange(rows)[:, None].repeat(1, 3), 0

    def read(self, places: Tensor) -> Tensor:
        self.copied += len(places)
        return self.rows[places]

    def write(self, place: int, frozen: FrozenRows) -> None:
        frozen.keep(place)
        self.rows[place] = -1


def test_rows_are_read_as_they_were_and_only_those_written_over_are_copied() -> None:
    store, places = Store(20), torch.tensor([3, 19, 0, 7])
    frozen = FrozenRows(places, store.read, RLock())
    assert store.copied == 0
    for place in (19, 5, 3, 19, 5):  # 5 is none of them
        store.write(place, frozen)
    assert store.copied == 2
    assert frozen.read(0, 3)[:, 0].tolist() == [3, 19, 0]
    store.write(0, frozen)
    store.write(7, frozen)
    assert frozen.read(2, 4)[:, 0].tolist() == [0, 7]


def test_a_row_that_is_written_while_it_is_read_is_as_it_was() -> None:
    store = Store(4)

    def read(places: Tensor) -> Tensor:
        if len(places) > 1:
            store.write(2, frozen)
        return store.read(places)

    frozen = FrozenRows(torch.arange(4), read, RLock())
    assert frozen.read(0, 4)[:, 0].tolist() == [0, 1, 2, 3]


def test_a_row_that_cannot_be_copied_is_tried_again() -> None:
    store = Store(2)
    frozen = FrozenRows(torch.arange(2), store.read, RLock())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, '_read', _fail)
        with pytest.raises(MemoryError):
            store.write(1, frozen)
    store.write(1, frozen)
    assert frozen.read(0, 2)[:, 0].tolist() == [0, 1]


def test_what_was_given_up_is_not_read() -> None:
    store = Store(2)
    frozen = FrozenRows(torch.arange(2), store.read, RLock())
    frozen.forget()
    with pytest.raises(Forgotten, match='cleared'):
        frozen.read(0, 1)


def _fail(places: Tensor) -> Tensor:
    raise MemoryError
