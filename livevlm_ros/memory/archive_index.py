# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The archive's table of pages: what each holds, and in which cell its keys and values lie.

A row is a page. Rows have no order, so that one can go without moving more than one other. A cell
is the address of a group and the place of the page in it: address * pages of a group + place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm_ros.memory.archive_groups import GroupLayout
from livevlm_ros.memory.long_term import Tokens


@dataclass(frozen=True, slots=True)
class PageIndex:
    """
    What a question chooses a layer's pages by.

    :param means: mean key of each page, before rotary, float32 [pages, kv_heads, head_dim]: as
        they are multiplied, for a question looks at all of them
    :param ends: names of each page's first and last token, int64 [pages, 2]
    :param serials: a number that no other page had or will have until the table is cleared, int64
        [pages]
    """

    means: Tensor
    ends: Tensor
    serials: Tensor


def page_bytes(layout: GroupLayout) -> int:
    """Bytes of a row: per layer a mean key and 8 + 8 + 4 bytes a token, and cell, lane, serial."""
    mean = 4 * layout.shape.kv_heads * layout.shape.head_dim
    return layout.shape.layers * (mean + 20 * layout.page_tokens) + 24


class PageTable:
    """
    Pages of an archive, in storage reserved whole: the system gives what has been written.

    :param rows: most pages
    """

    OF_LAYERS = ('means', 'names', 'times', 'scores')
    """Attributes with the layer as their first axis and the row as their second."""

    def __init__(self, layout: GroupLayout, *, rows: int) -> None:
        self._layout, shape = layout, layout.shape
        per_token = (shape.layers, rows, layout.page_tokens)
        self.means = torch.empty(
            shape.layers, rows, shape.kv_heads, shape.head_dim, dtype=torch.float32
        )
        self.names = torch.empty(per_token, dtype=torch.int64)
        self.times = torch.empty(per_token, dtype=torch.float64)
        self.scores = torch.empty(per_token)
        self.cells = torch.empty(rows, dtype=torch.int64)
        self.lanes = torch.empty(rows, dtype=torch.int64)
        self.serials = torch.empty(rows, dtype=torch.int64)
        self.count = self._next_serial = 0

    def index(self, layer: int) -> PageIndex:
        """Return what pages are chosen by; row i is page i until the table changes."""
        names = self.names[layer, : self.count]
        return PageIndex(
            self.means[layer, : self.count], names[:, [0, -1]], self.serials[: self.count]
        )

    def addresses(self, rows: Tensor | slice) -> Tensor:
        """Return the addresses of pages' groups, int64 [pages]."""
        return self.cells[rows] // self._layout.pages

    def places(self, rows: Tensor | slice) -> Tensor:
        """Return pages' places in their groups, int64 [pages]."""
        return self.cells[rows] % self._layout.pages

    def rows_of(self, addresses: Tensor) -> Tensor:
        """Return the rows of some groups' pages, by time, int64 [pages]."""
        held = slice(self.count)
        rows = torch.isin(self.addresses(held), addresses).nonzero()[:, 0]
        return rows[self.names[0, rows, 0].argsort()]

    def groups(self, *, below: int) -> Tensor:
        """
        Return a row of each group whose address is below a bound, oldest group first.

        It is the group's middle page: among the tokens that lose their place together are a few
        far older than the rest, and they come first.
        """
        held = slice(self.count)
        middle = self.places(held) == self._layout.pages // 2
        rows = (middle & (self.addresses(held) < below)).nonzero()[:, 0]
        return rows[self.names[0, rows, 0].argsort()]

    def append(self, tokens: Tokens, *, lane: int, address: int) -> None:
        """Add the whole pages of a group's tokens; those that do not fill one are left out."""
        pages = tokens.count // self._layout.page_tokens
        new = slice(self.count, self.count + pages)
        whole = pages * self._layout.page_tokens
        paged = (pages, self._layout.page_tokens)
        keys = tokens.keys[:, :, :whole].float().unflatten(2, paged)
        self.means[:, new] = keys.mean(dim=3).transpose(1, 2)
        self.names[:, new] = tokens.names[:, :whole].unflatten(1, paged)
        self.times[:, new] = tokens.times[:, :whole].unflatten(1, paged)
        self.scores[:, new] = tokens.scores[:, :whole].unflatten(1, paged)
        self.cells[new] = address * self._layout.pages + torch.arange(pages)
        self.lanes[new] = lane
        self.number(new)
        self.count += pages

    def number(self, rows: slice) -> None:
        """Give pages that are new their serials."""
        last = self._next_serial + rows.stop - rows.start
        self.serials[rows] = torch.arange(self._next_serial, last)
        self._next_serial = last

    def move(self, *, source: int, target: int) -> None:
        """Note that a group has a new address."""
        rows = self.rows_of(torch.tensor([source]))
        self.cells[rows] += (target - source) * self._layout.pages

    def remove(self, rows: Tensor) -> None:
        """Forget pages; the last rows take the places that become free."""
        after = self.count - len(rows)
        stay = torch.ones(self.count, dtype=torch.bool)
        stay[rows] = False
        movers, holes = after + stay[after:].nonzero()[:, 0], rows[rows < after]
        for name in self.OF_LAYERS:
            column = getattr(self, name)
            column[:, holes] = column[:, movers]
        for column in (self.cells, self.lanes, self.serials):
            column[holes] = column[movers]
        self.count = after
