# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Recoverable eviction: what bucketing drops stays on the host, compressed, and can be found again.

Tokens wait in their lane, in float16, until they make a group; then they are quantised and become
a record in RAM. When RAM is full the oldest record moves to disk, when that is full too, or there
is none, older tokens are thinned by bucketing. Pages can be found once they are whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from livevlm_ros.memory.archive_groups import GroupLayout
from livevlm_ros.memory.archive_index import PageIndex, PageTable, page_bytes
from livevlm_ros.memory.archive_store import GroupStore
from livevlm_ros.memory.eviction import survivors
from livevlm_ros.memory.long_term import Tokens
from livevlm_ros.memory.quantise import to_half
from livevlm_ros.memory.reading import Piece
from livevlm_ros.memory.shape import CacheShape

THINNED_GROUPS = 8
"""Groups thinned together, at most: few, because a step waits for it."""

LEAST_GROUPS = 2
"""Groups of a lane that there is room for in RAM, so that there is always something to thin."""


@dataclass(frozen=True, slots=True)
class ArchiveSizes:
    """
    What an archive holds.

    :param tokens: of a layer
    :param host_bytes: of RAM that records, table and waiting tokens take
    :param disk_bytes: of the file that the disk has given
    """

    tokens: int
    host_bytes: int
    disk_bytes: int


class Archive:
    """
    Archived tokens of every lane.

    `sizes`, as of the last change, may be read by any thread. `changes` counts how often pages
    were added or cut anew.

    A group has an address: that of its record in the store, or beyond those, one for each lane's
    waiting tokens.

    :param lanes: number of lanes
    :param page_tokens: tokens of a page
    :param bits: of a number: 4, 8, or 16 for float16 as it is
    :param host_bytes: most RAM: records, the table of all pages, and what waits
    :param disk_bytes: most disk; less is used where the table of its pages does not fit into RAM
    :param folder: where the file lies, if `disk_bytes` is not 0
    :raises ValueError: if there is too little RAM for the least, or no file can be made
    """

    def __init__(
        self,
        shape: CacheShape,
        *,
        lanes: int,
        page_tokens: int,
        bits: int,
        host_bytes: int,
        disk_bytes: int = 0,
        folder: Path | None = None,
    ) -> None:
        self._shape, self._lanes = shape, lanes
        self._layout = layout = GroupLayout(shape, page_tokens, bits)
        table_bytes = layout.pages * page_bytes(layout)
        group_bytes = layout.record_bytes + table_bytes
        waiting_bytes = layout.tokens * (shape.token_bytes(2) + shape.layers * 20) + table_bytes
        room, least = host_bytes - lanes * waiting_bytes, lanes * LEAST_GROUPS * group_bytes
        if room < least:
            raise ValueError(
                f'archive_host_bytes must be at least {lanes * waiting_bytes + least}, '
                f'got {host_bytes}'
            )
        disk = min(disk_bytes // layout.record_bytes, (room - least) // table_bytes)
        host = (room - disk * table_bytes) // group_bytes
        self._store = GroupStore(layout, host=host, disk=disk, folder=folder)
        self.changes = 0
        self._reset()

    def _reset(self) -> None:
        rows = (self._store.all + self._lanes) * self._layout.pages
        self._table = PageTable(self._layout, rows=rows)
        self._waiting = [self._nothing()] * self._lanes
        self.changes += 1
        self.sizes = self._count()

    def _count(self) -> ArchiveSizes:
        waiting, store = self._waiting, self._store
        return ArchiveSizes(
            tokens=store.count * self._layout.tokens + sum(tokens.count for tokens in waiting),
            host_bytes=store.host_bytes
            + self._table.count * page_bytes(self._layout)
            + sum(tokens.nbytes for tokens in waiting),
            disk_bytes=store.disk_bytes,
        )

    def names(self) -> Tensor:
        """Return the names of all tokens, once for each layer that holds them, in no order."""
        paged = self._table.names[:, : self._table.count].flatten()
        return torch.cat((paged, *(tokens.names.flatten() for tokens in self._waiting)))

    def index(self, layer: int) -> PageIndex:
        """Return what a layer's pages are chosen by; it holds until the next `add`."""
        return self._table.index(layer)

    def read(self, layer: int, pages: Tensor, *, heads: Tensor | None = None) -> Piece:
        """
        Read pages, whichever tier they lie in.

        :param pages: rows of the layer's index, int64 [pages]
        :param heads: kv heads that are read, int64 [heads]; None: all
        :returns: their tokens in the order of `pages`, keys and values of those heads, float32
        """
        count = self._shape.kv_heads if heads is None else len(heads)
        size, width = self._layout.page_tokens, self._shape.head_dim
        both = torch.empty(len(pages), count, 2, size, width)
        self.read_into(both, layer, pages, heads=heads)
        keys, values = both.permute(2, 1, 0, 3, 4).flatten(2, 3)
        return Piece(keys, values, self.page_names(layer, pages).flatten())

    def read_into(
        self, out: Tensor, layer: int, pages: Tensor, *, heads: Tensor | None = None
    ) -> None:
        """
        Read pages as `read` does.

        :param out: of any type, on the host, [pages, heads, 2, page_tokens, head_dim]
        """
        addresses, places = self._table.addresses(pages), self._table.places(pages)
        heads = torch.arange(self._shape.kv_heads) if heads is None else heads
        self._store.read(layer, addresses, places, heads=heads, out=out)
        size = self._layout.page_tokens
        for lane, tokens in enumerate(self._waiting):
            here = (addresses == self._store.all + lane).nonzero()[:, 0]
            span = (places[here, None] * size + torch.arange(size)).flatten()
            for side, part in enumerate((tokens.keys, tokens.values)):
                cut = part[layer, heads].index_select(1, span).unflatten(1, (-1, size))
                out[here, :, side] = cut.transpose(0, 1).to(out.dtype)

    def page_names(self, layer: int, pages: Tensor) -> Tensor:
        """Return the names of the tokens of pages, int64 [pages, page_tokens]."""
        return self._table.names[layer, pages]

    def add(self, lane: int, tokens: Tokens) -> None:
        """Take tokens that lose their place in a lane, of any device and type."""
        waiting = _together(self._waiting[lane], tokens)
        self._table.remove(self._table.rows_of(torch.tensor([self._store.all + lane])))
        self._waiting[lane] = self._nothing()
        size = self._layout.tokens
        whole = waiting.count // size * size
        for first in range(0, whole, size):
            group = waiting.span(first, first + size)
            self._keep(group, lane=lane, address=self._room())
        rest = waiting.span(whole, waiting.count)
        self._waiting[lane] = _together(self._nothing(), rest)  # a copy, so that the rest can go
        self._table.append(self._waiting[lane], lane=lane, address=self._store.all + lane)
        self.changes += 1
        self.sizes = self._count()

    def _keep(self, group: Tokens, *, lane: int, address: int) -> None:
        self._store.write(address, group.keys, group.values)
        self._table.append(group, lane=lane, address=address)

    def _room(self) -> int:
        """Return an address in RAM that is free now."""
        while (address := self._store.take()) is None:
            if not self._spill():
                self._thin()
        return address

    def _spill(self) -> bool:
        """Move the oldest group in RAM to disk; returns whether there was room."""
        oldest = self._table.groups(below=self._store.host)[:1]
        source = int(self._table.addresses(oldest))
        target = self._store.spill(source)
        if target is not None:
            self._table.move(source=source, target=target)
        return target is not None

    def _thin(self) -> None:
        """
        Halve the tokens of neighbouring groups, where they lie densest in time.

        The groups are the fullest lane's, of its older half: what is new stays dense, and what is
        older gets equally sparse everywhere. Without room on disk those in RAM alone must give.
        """
        table, store, size = self._table, self._store, self._layout.tokens
        groups = table.groups(below=store.host if store.disk_lost else store.all)
        lane = int(table.lanes[groups].bincount().argmax())
        groups = groups[table.lanes[groups] == lane]
        batch = groups[_densest(table.times[0, groups, 0])]
        addresses = table.addresses(batch).sort(descending=True).values  # so disk is kept first
        rows = table.rows_of(addresses)
        held = self._all_layers(rows)
        stay = survivors('vsb', held.scores, held.times, budget=held.count // 2)
        thinned = held.picked(stay)
        table.remove(rows)
        kept, freed = addresses.tensor_split(2)
        for index, address in enumerate(kept.tolist()):
            group = thinned.span(index * size, (index + 1) * size)
            self._keep(group, lane=lane, address=address)
        store.free(freed.tolist())

    def _all_layers(self, rows: Tensor) -> Tokens:
        """Read pages of every layer, tokens by time."""
        pieces = [self.read(layer, rows) for layer in range(self._shape.layers)]
        tokens = Tokens(
            keys=torch.stack([piece.keys for piece in pieces]),
            values=torch.stack([piece.values for piece in pieces]),
            names=torch.stack([piece.names for piece in pieces]),
            times=self._table.times[:, rows].flatten(1),
            scores=self._table.scores[:, rows].flatten(1),
        )
        return tokens.picked(tokens.names.argsort(dim=1))

    def clear(self) -> None:
        """Forget every token and give the bytes back."""
        self._store.clear()
        self._reset()

    def close(self) -> None:
        """Remove the file; nothing may follow."""
        self._store.close()

    def state(self) -> dict[str, Tensor]:
        """Return all that is held, as tensors to `restore`."""
        table, layout, held = self._table, self._layout, slice(self._table.count)
        addresses = table.addresses(table.groups(below=self._store.all))
        ranks = torch.zeros(self._store.all + self._lanes, dtype=torch.int64)  # by age
        ranks[addresses] = torch.arange(len(addresses))
        ranks[self._store.all :] = len(addresses) + torch.arange(self._lanes)
        state = {
            'records': self._store.gather(addresses),
            'cells': ranks[table.addresses(held)] * layout.pages + table.places(held),
            'lanes': table.lanes[held].clone(),
        }
        for name in PageTable.OF_LAYERS:
            state[name] = getattr(table, name)[:, held].clone()
        for lane, tokens in enumerate(self._waiting):
            for field in fields(tokens):
                state[f'waiting.{lane}.{field.name}'] = getattr(tokens, field.name).clone()
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """
        Hold what `state` gave and nothing else; reads give the same bits.

        :raises ValueError: if it is another archive's, or more than there is room for; what the
            archive holds is untouched
        :raises OSError: if the disk has no room for its part; the archive is empty
        """
        self._check(state)
        self.clear()
        addresses = self._store.fill(state['records'])
        waiting = self._store.all + torch.arange(self._lanes)
        addresses, cells = torch.cat((addresses, waiting)), state['cells']
        table, pages = self._table, self._layout.pages
        table.count = len(cells)
        held = slice(0, table.count)
        table.cells[held] = addresses[cells // pages] * pages + cells % pages
        table.lanes[held] = state['lanes']
        table.number(held)
        for name in PageTable.OF_LAYERS:
            getattr(table, name)[:, held] = state[name]
        names = [field.name for field in fields(Tokens)]
        self._waiting = [
            Tokens(**{name: state[f'waiting.{lane}.{name}'].clone() for name in names})
            for lane in range(self._lanes)
        ]
        self.sizes = self._count()

    def _check(self, state: Mapping[str, Tensor]) -> None:
        """Refuse the state of an archive with other lanes, layers, pages or bits, or a larger."""
        mine = self.state()
        if set(state) != set(mine):
            unlike = ', '.join(sorted(set(state) ^ set(mine)))
            raise ValueError(f'not the state of an archive with {self._lanes} lanes: {unlike}')
        for name, tensor in mine.items():
            given, expected = state[name], tensor.shape
            same = given.dtype == tensor.dtype and given.ndim == tensor.ndim
            # What is counted, groups, pages or tokens, is one axis of each.
            if not same or sum(map(int.__ne__, given.shape, expected)) > 1:
                raise ValueError(
                    f'archive state {name}: expected {tensor.dtype} like {tuple(expected)} but '
                    f'for one count, got {given.dtype} {tuple(given.shape)}'
                )
        if len(state['records']) > self._store.all:
            raise ValueError(
                f'the archive has room for {self._store.all} groups, its state has '
                f'{len(state["records"])}: raise archive_host_bytes or archive_disk_bytes'
            )

    def _nothing(self) -> Tokens:
        shape = self._shape
        block = (shape.layers, shape.kv_heads, 0, shape.head_dim)
        return Tokens(
            keys=torch.empty(block, dtype=torch.float16),
            values=torch.empty(block, dtype=torch.float16),
            names=torch.empty(shape.layers, 0, dtype=torch.int64),
            times=torch.empty(shape.layers, 0, dtype=torch.float64),
            scores=torch.empty(shape.layers, 0),
        )


def _together(waiting: Tokens, new: Tokens) -> Tokens:
    """Put tokens in one order by time, in the types they wait in."""
    joined = Tokens(
        keys=torch.cat((waiting.keys, to_half(new.keys).cpu()), dim=2),
        values=torch.cat((waiting.values, to_half(new.values).cpu()), dim=2),
        names=torch.cat((waiting.names, new.names.cpu()), dim=1),
        times=torch.cat((waiting.times, new.times.cpu()), dim=1),
        scores=torch.cat((waiting.scores, new.scores.cpu()), dim=1),
    )
    if (joined.names.diff(dim=1) > 0).all():
        return joined
    return joined.picked(joined.names.argsort(dim=1))


def _densest(seconds: Tensor) -> slice:
    """
    Return which neighbours of the older half span the least time, an even number.

    They are at most half of that half, so that there is a choice: it is what evens density out.
    """
    older = max(2, len(seconds) // 2)
    batch = max(2, min(THINNED_GROUPS, older // 4 * 2))
    spans = seconds[batch - 1 : older] - seconds[: older - batch + 1]
    first = int(spans.argmin())
    return slice(first, first + batch)
