# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Recoverable eviction: every frame that left short-term, compressed, until the archive thins.

A frame is a record with all of its layers, cut into pages that never cross its border. When RAM is
full the oldest record moves to disk; when that is full too, or there is none, frames are dropped
where they lie densest in time, whole, in the older half.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from livevlm_ros.memory.archive.costs import index_bytes, room_for
from livevlm_ros.memory.archive.file import ArchiveFile
from livevlm_ros.memory.archive.means import PageMeans
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.archive.sizes import ArchiveRoom, ArchiveSizes, Wiped, Wiping
from livevlm_ros.memory.archive.sketch import KeySketch
from livevlm_ros.memory.archive.store import RecordStore
from livevlm_ros.memory.state import State
from livevlm_ros.memory.tokens import CPU, TokenIds, Tokens

THINNED_SHARE = 64
"""Of the frames held, one in so many is picked at a time, to go one by one as room is needed."""

FORGOTTEN_AT_ONCE = 16
"""Frames; a question and a frame that is to be written wait for no more."""

_log = logging.getLogger(__name__)


class Archive:
    """
    Archived frames of every lane; any thread, each call by itself. `lock` holds several together.

    Frames are named by id and lie in rows without an order; a row holds until the next `put`.

    :param ids: tells lanes and stamps from ids
    :param layout: of the records
    :param sketched: layers whose keys a question is ranked by, for the sketch; None: page means
        are kept in its place
    :param host_bytes: most RAM: records and what goes with them; the centroids of the sketch, as
        many whatever is held, are not among them
    :param restored_bytes: most RAM where what is restored does not fit `host_bytes`; None: those
    :param disk_bytes: most disk
    :param folder: where the file lies, if `disk_bytes` is not 0
    :param device: that questions read on
    :raises ValueError: for too little RAM, RAM that cannot be locked, or no file that can be made
    """

    def __init__(
        self,
        ids: TokenIds,
        layout: RecordLayout,
        *,
        lanes: int,
        sketched: tuple[int, ...] | None,
        host_bytes: int,
        restored_bytes: int | None = None,
        disk_bytes: int = 0,
        folder: Path | None = None,
        device: torch.device = CPU,
    ) -> None:
        self._ids, self._layout, self._sketched = ids, layout, sketched
        room = room_for(
            layout, sketched, lanes=lanes, host_bytes=host_bytes, disk_bytes=disk_bytes
        )
        self._index_bytes = index_bytes(layout, sketched)
        self._restored_bytes = restored_bytes or host_bytes
        self._new_store = partial(
            RecordStore, layout, disk=room.disk_frames, folder=folder, device=device
        )
        self._store = self._new_store(host=room.host_frames)
        self.lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget every frame; `tend` gives the bytes back."""
        with self.lock:
            self._store.clear()
            rows, shape = self._store.all, self._layout.shape
            self._frames = torch.empty(rows, dtype=torch.int64)
            self._addresses = torch.empty(rows, dtype=torch.int64)
            self._rows: dict[int, int] = {}  # by the id of the frame
            self._picked: list[int] = []  # frames that go next, the last one first
            self.sketch: KeySketch | None = None
            self.means: PageMeans | None = None
            if self._sketched is None:
                page_tokens = self._layout.page_tokens
                self.means = PageMeans(shape, rows=rows, page_tokens=page_tokens)
            else:
                self.sketch = KeySketch(shape, self._sketched, rows=rows)
            self.sizes = self._count()

    def close(self) -> None:
        """Remove the file; nothing may follow."""
        self._store.close()

    @property
    def room(self) -> ArchiveRoom:
        """What it holds before it thins."""
        record, host, rows = self._layout.record_bytes, self._store.host, self._store.all
        host_bytes = host * record + rows * self._index_bytes
        return ArchiveRoom(host, host_bytes, rows - host, (rows - host) * record)

    @property
    def file(self) -> ArchiveFile | None:
        """The file of the records on disk, None without."""
        return self._store.file

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, frame: object) -> bool:
        """Return whether a frame is held, by its id; does not wait for a write."""
        return frame in self._rows

    @property
    def frames(self) -> Tensor:
        """Ids of the frames held, by row, int64 [frames]."""
        return self._frames[: len(self._rows)]

    def put(self, frame: Tokens) -> None:
        """
        Take a frame that left short-term, of any device and type.

        :param frame: all its tokens, [layers, kv_heads, tokens_per_frame, head_dim]
        """
        record = self._layout.encode(frame.keys, frame.values).cpu()
        keys = self._layout.keys(record)  # as a restored archive has them
        sketched = self.sketch.encode(keys) if self.sketch is not None else None
        means = self.means.of_frame(keys) if self.means is not None else None
        frame_id = int(self._ids.frames(frame.ids[:1]))
        with self.lock:
            address = self._room()
            try:
                self._store.write(address, record)
                row = len(self._rows)
                if self.means is not None and means is not None:
                    self.means.put(row, means)
                if self.sketch is not None and sketched is not None:
                    self.sketch.put(row, sketched)
                self._frames[row], self._addresses[row] = frame_id, address
                self._rows[frame_id] = row
            except BaseException:
                self._store.free([address])
                raise
            finally:
                self.sizes = self._count()  # frames may have left to make room

    def forget(self, frames: Iterable[int]) -> Wiping:
        """
        Forget frames for good, by id; in the thread that writes.

        What a state of before has not read yet is given up, too.
        """
        forgotten, disk_bytes, ids = 0, 0, list(frames)
        for first in range(0, len(ids), FORGOTTEN_AT_ONCE):
            with self.lock:
                self._store.give_up_frozen()
                held = [frame for frame in ids[first : first + FORGOTTEN_AT_ONCE] if frame in self]
                on_disk = sum(self._drop(frame) >= self._store.host for frame in held)
                if self.sketch is not None:
                    self.sketch.forgot()
                self._picked.clear()  # who go next are picked anew
                self.sizes = self._count()
            forgotten += len(held)
            disk_bytes += on_disk * self._layout.record_bytes
            yield
        if disk_bytes:
            self._store.sync()
        return Wiped(forgotten, disk_bytes)

    def wipe_left(self) -> Iterator[None]:
        """Write over what `clear` has left on disk, piece by piece; in the thread that writes."""
        return self._store.wipe_left()

    def tend(self) -> bool:
        """Do a piece of what can wait, in the writing thread; returns whether there is more."""
        if self._store.give_back():
            return True
        if self.sketch is None:
            return False
        try:
            return self.sketch.catch_up(self.keys, self.__len__, self.lock)
        except Exception:
            _log.exception('the archive is still ranked by its old sketch')
            return False
        finally:
            with self.lock:
                self.sizes = self._count()

    def keys(self, layer: int, rows: Tensor, *, device: torch.device = CPU) -> Tensor:
        """
        Return the keys of whole frames in one layer, before rotary.

        :param rows: int64 [frames]
        :param device: where they are decoded, and returned
        :returns: float32 [kv_heads, frames * tokens_per_frame, head_dim]
        """
        layout = self._layout
        at, block = layout.blocks(layer)[0, 0, :, None], layout.block_bytes
        blocks = self._store.gather(self._addresses[rows], at, block, unit=block, device=device)
        return layout.decode_blocks(blocks).flatten(1, 2)

    def read(
        self, frames: Tensor, places: Tensor, *, like: Tensor, layer: int | None = None
    ) -> Tokens:
        """
        Read pages, whichever tier they lie in; pages of frames that are gone are left out.

        :param frames: ids of the frames they are of, int64 [pages]
        :param places: which page of its frame each is, int64 [pages]
        :param like: of the device and type that the tokens shall have
        :param layer: the only one that is read; None: all
        :returns: the tokens of all pages in their order
        """
        layout = self._layout
        blocks = layout.blocks(slice(None) if layer is None else layer)[..., None]
        with self.lock:
            rows = torch.tensor(
                [self._rows.get(frame, -1) for frame in frames.tolist()], dtype=torch.int64
            )
            held = rows >= 0
            frames, places = frames[held], places[held]
            gather = partial(
                self._store.gather,
                self._addresses[rows[held]],
                unit=layout.unit,
                device=like.device,
            )
            codes = gather(blocks + places * layout.page_bytes, layout.page_bytes)
            scales = gather(blocks + layout.code_bytes, layout.scales_bytes)
        # [2, layers, kv_heads, pages, page_tokens, head_dim]
        keys, values = layout.decode(codes, scales, like.dtype).flatten(3, 4)
        ids = self._ids.of_frames(frames).unflatten(1, (layout.pages, -1))
        return Tokens(keys, values, ids[torch.arange(len(frames)), places].flatten())

    def _room(self) -> int:
        """Return an address in RAM that is free now."""
        address = self._store.take()
        if address is not None:
            return address
        oldest = self._oldest_in_ram()  # looked for first: that may fail
        while (address := self._store.take()) is None:
            if not self._spill(oldest):
                self._thin()
        return address

    def _oldest_in_ram(self) -> int:
        """Return the id of the oldest frame whose record lies in RAM."""
        in_ram = self._addresses[: len(self._rows)] < self._store.host
        return int(self.frames[in_ram].min())

    def _spill(self, frame: int) -> bool:
        """Move a frame's record from RAM to disk; returns whether there was room."""
        row = self._rows[frame]
        target = self._store.spill(int(self._addresses[row]))
        if target is not None:
            self._addresses[row] = target
        return target is not None

    def _thin(self) -> None:
        """Drop a frame: a write waits for it, so others that are picked with it stay for now."""
        if not self._picked:
            self._picked = self._sparable()
        self._drop(self._picked[-1])
        self._picked.pop()

    def _sparable(self) -> list[int]:
        """
        Pick every other frame of where they lie densest, in the older half of the fullest lane.

        What is new stays dense, and what is older gets equally sparse everywhere. Without room on
        disk those in RAM alone must give.

        :returns: their ids, the first to go last
        """
        held = torch.arange(len(self._rows))
        if self._store.disk_lost:
            held = held[self._addresses[held] < self._store.host]
        lanes = self._ids.lanes(self._frames[held])
        held = held[lanes == lanes.bincount().argmax()]
        held = held[self._frames[held].argsort()]
        older = held[: max(3, len(held) // 2)]
        stamps = self._ids.since_ns(self._frames[older])
        gaps = (stamps[2:] - stamps[:-2])[::2]  # that the loss of every other frame would open
        most = max(1, len(self._rows) // THINNED_SHARE)
        densest = gaps.topk(min(most, len(gaps)), largest=False).indices
        return self._frames[older[1:-1:2][densest]].flip(0).tolist()

    def _drop(self, frame: int) -> int:
        """Forget a frame; returns the address that is free now."""
        row = self._rows[frame]
        address = int(self._addresses[row])
        self._remove(row)
        self._store.free([address])
        return address

    def _remove(self, row: int) -> None:
        """Forget a row; the last one takes its place."""
        last = len(self._rows) - 1
        for index in (self.sketch, self.means):
            if index is not None:
                index.remove(row, last)
        del self._rows[int(self._frames[row])]
        if row != last:
            self._frames[row], self._addresses[row] = self._frames[last], self._addresses[last]
            self._rows[int(self._frames[row])] = row

    def _grow(self, frames: int) -> None:
        """
        Make room in RAM for so many frames, and forget those that are held.

        :raises ValueError: if that is more than may be taken; nothing is forgotten
        """
        host = frames - (self._store.all - self._store.host)
        if host * self._layout.record_bytes + frames * self._index_bytes > self._restored_bytes:
            raise ValueError(
                f'the archive has room for {self._store.all} frames, its state has {frames}: '
                'raise archive_host_bytes or archive_disk_bytes'
            )
        smaller, self._store = self._store, self._new_store(host=host)
        smaller.close()

    def _count(self) -> ArchiveSizes:
        beside = self.sketch.fixed_bytes if self.sketch is not None else 0
        return ArchiveSizes(
            frames=len(self._rows),
            host_bytes=self._store.host_bytes + len(self._rows) * self._index_bytes + beside,
            disk_bytes=self._store.disk_bytes,
            disk_lost=self._store.disk_lost,
        )

    def state(self) -> State:
        """
        Return all that is held, to `restore`; records and codes are read later, as they are now.

        :returns: its rows raise `Forgotten` after a `clear`
        """
        with self.lock:
            count = len(self._rows)
            held = State(
                {'frames': self.frames.clone()},
                {'picked': list(self._picked)},
                {'records': self._store.frozen(self._addresses[:count].clone(), self.lock)},
            )
            sketch = self.sketch.state(count, self.lock) if self.sketch is not None else State()
            return State.joined({'frames': held, 'sketch': sketch})

    def restore(self, state: State) -> None:
        """
        Hold what `state` gave and nothing else; reads give the same bits.

        :raises ValueError: if it is another archive's, or more than there is room for; what the
            archive holds is untouched
        :raises OSError: if disk or RAM have no room for their part; the archive is empty
        """
        held = state.part('frames')
        records, frames = held.rows['records'], held.tensors['frames']
        count = len(frames)
        if records.shape[1:] != self._layout.record:
            raise ValueError(
                f'archive: expected records like {self._layout.record}, got {records.shape[1:]}'
            )
        if self.sketch is not None:
            self.sketch.check(state.part('sketch'))
        if count > self._store.all:
            self._grow(count)
        self.clear()
        with self.lock:
            self._addresses[:count] = self._store.fill(records)
            self._frames[:count] = frames
            self._picked = list(held.facts['picked'])
            self._rows = {frame: row for row, frame in enumerate(frames.tolist())}
            if self.sketch is not None:
                self.sketch.restore(state.part('sketch'))
            if self.means is not None:
                for row, address in enumerate(self._addresses[:count].split(1)):
                    (record,) = self._store.records(address)
                    self.means.put(row, self.means.of_frame(self._layout.keys(record)))
            self.sizes = self._count()
