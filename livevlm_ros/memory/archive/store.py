# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The archive's two tiers of records: addresses below `host` lie in RAM, those above on disk."""

from __future__ import annotations

import errno
import logging
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from livevlm_kernels.gather_runs import gather_runs
from livevlm_ros.memory.archive.file import ArchiveFile
from livevlm_ros.memory.archive.frozen import FrozenRows
from livevlm_ros.memory.archive.locked import LockedPages
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.archive.slab import Slab
from livevlm_ros.memory.state import Rows
from livevlm_ros.memory.tokens import CPU, upload

_log = logging.getLogger(__name__)


class RecordStore:
    """
    Room for the records of frames.

    :param host: most records in RAM
    :param disk: most records on disk
    :param folder: where the file lies, if `disk` is not 0
    :param device: that records are read to
    :raises ValueError: if no file can be made, or RAM cannot be locked for a GPU
    """

    def __init__(
        self,
        layout: RecordLayout,
        *,
        host: int,
        disk: int,
        folder: Path | None = None,
        device: torch.device = CPU,
    ) -> None:
        self._layout, self._device, self._folder = layout, device, folder
        self.host, self.all = host, host + disk
        self._file = self._new_file() if disk else None
        self._locked: LockedPages | None = None
        self._frozen: weakref.WeakSet[FrozenRows] = weakref.WeakSet()
        self._left: deque[Slab] = deque()  # by `clear`, to be given back
        self._left_files: deque[ArchiveFile] = deque()
        self._reserve()

    def _new_file(self) -> ArchiveFile:
        if self._folder is None:
            raise ValueError('archive_disk_bytes needs a folder: set path')
        slots = self.all - self.host
        return ArchiveFile(self._folder, slots=slots, record=self._layout.record)

    def _reserve(self) -> None:
        """Reserve RAM whole; the system gives it as it is written, for a GPU piece by piece."""
        if self._locked is None:
            self._ram = Slab(self.host * self._layout.record_bytes)
            self._slab = self._ram.bytes.view(self.host, *self._layout.record)
            self._locked = LockedPages.of(self._slab, self._device)
        self._free_host = list(reversed(range(self.host)))
        self._free_disk = list(reversed(range(self.host, self.all)))
        self._in_ram = self._on_disk = 0
        self.disk_lost = False

    @property
    def file(self) -> ArchiveFile | None:
        """The file of the records on disk, None without."""
        return self._file

    @property
    def count(self) -> int:
        """Records held."""
        return self._in_ram + self._on_disk

    @property
    def host_bytes(self) -> int:
        """Bytes of the records in RAM."""
        return self._in_ram * self._layout.record_bytes

    @property
    def disk_bytes(self) -> int:
        """Bytes of the file that the disk has given."""
        return self._file.nbytes if self._file else 0

    def take(self) -> int | None:
        """Return an address in RAM that was free; None if none is."""
        if not self._free_host:
            return None
        if not self._lock(self._free_host[-1] + 1):
            _log.warning(
                'the archive goes on in %.1f GB of RAM: the GPU driver locks no more',
                self.host_bytes / 1e9,
            )
            self._free_host = []  # the others lie further on
            return None
        self._in_ram += 1
        return self._free_host.pop()

    def _lock(self, records: int) -> bool:
        """Have so many records from the first on locked for a GPU; return whether they are."""
        nbytes = records * self._layout.record_bytes
        return self._locked is None or self._locked.reach(nbytes)

    def free(self, addresses: Iterable[int]) -> None:
        """Forget records; those on disk are written over with zeros."""
        for address in addresses:
            if address < self.host:
                self._free_host.append(address)
                self._in_ram -= 1
            else:
                self._keep(address)
                self._at(address).zero_()
                self._free_disk.append(address)
                self._on_disk -= 1

    def sync(self) -> None:
        """Have the disk take what was written there."""
        if self._file is not None:
            self._file.sync()

    def write(self, address: int, record: Tensor) -> None:
        """Write a record, uint8 [*record]."""
        self._keep(address)
        self._wait_for_reads()
        self._at(address).copy_(record)

    def gather(
        self,
        addresses: Tensor,
        offsets: Tensor,
        run: int,
        *,
        unit: int,
        device: torch.device = CPU,
    ) -> Tensor:
        """
        Return runs of bytes out of records, whichever tier they lie in.

        :param addresses: int64 [records]
        :param offsets: where runs start within a record, int64, broadcast with addresses
        :param run: bytes of a run
        :param unit: bytes that run, offsets and records are multiples of
        :param device: that gets them; a GPU reads RAM by itself, some time after this returns
        :returns: uint8 [..., records, run]
        """
        record = self._layout.record_bytes
        starts = (addresses * record + offsets) // unit
        on_disk = addresses >= self.host
        if self._file is None or not bool(on_disk.any()):
            return self._out_of_ram(starts, run, unit=unit, device=device)
        in_ram = self._out_of_ram(starts[..., ~on_disk], run, unit=unit, device=device)
        file, starts = (
            self._file.records.view(-1),
            starts[..., on_disk] - self.host * record // unit,
        )
        from_disk = gather_runs(file, starts, run, unit=unit, locked=False)
        order = on_disk.long().argsort(stable=True).argsort()  # first those in RAM
        found = torch.cat((in_ram, upload(from_disk, device)), dim=-2)
        return found.index_select(-2, upload(order, device))

    def records(self, addresses: Tensor) -> Tensor:
        """Return copies of records, uint8 [addresses, *record]."""
        record, start = self._layout.record_bytes, torch.zeros((), dtype=torch.int64)
        return self.gather(addresses, start, record, unit=record).view(-1, *self._layout.record)

    def frozen(self, addresses: Tensor, lock: threading.RLock) -> Rows:
        """
        Return records as they are, to be read while others are written over them.

        :param lock: held by whoever writes
        """
        rows = FrozenRows(addresses, self.records, lock)
        self._frozen.add(rows)
        return Rows((len(addresses), *self._layout.record), torch.uint8, rows.read)

    def _keep(self, address: int) -> None:
        for rows in self._frozen:
            rows.keep(address)

    def give_up_frozen(self) -> None:
        """Let those who read records as they were fail: what they read is to be forgotten."""
        for rows in self._frozen:
            rows.forget()

    def _out_of_ram(self, starts: Tensor, run: int, *, unit: int, device: torch.device) -> Tensor:
        slab = self._slab.view(-1)
        if self._locked is None or device != self._device:
            return upload(gather_runs(slab, starts, run, unit=unit, locked=False), device)
        found = gather_runs(slab, upload(starts, device), run, unit=unit, locked=True)
        self._locked.note_read()
        return found

    def _wait_for_reads(self) -> None:
        if self._locked is not None:
            self._locked.wait_for_reads()

    def spill(self, address: int) -> int | None:
        """Move a record from RAM to disk; returns its new address, None if there is no room."""
        if self._file is None or not self._free_disk:
            return None
        target = self._free_disk[-1]
        try:
            self._file.allocate(target - self.host)
        except OSError as error:
            _log.warning('the archive goes on in RAM, its file cannot grow: %s', error)
            self._free_disk, self.disk_lost = [], True
            return None
        self._keep(target)
        self._at(target).copy_(self._at(address))
        self._free_disk.pop()
        self._on_disk += 1
        self._in_ram -= 1
        self._free_host.append(address)
        return target

    def fill(self, records: Rows) -> Tensor:
        """
        Hold records and nothing else; those that RAM has no room for, the first, go to disk.

        :param records: uint8 [count, *record], no more than there is room for
        :returns: their addresses, int64 [count]
        :raises OSError: if disk or RAM have no room for their part; then the store is empty
        """
        self.clear()
        on_disk, in_ram = max(0, len(records) - self.host), min(len(records), self.host)
        if not self._lock(in_ram):
            raise OSError(errno.ENOMEM, 'the GPU driver cannot lock the RAM')
        if self._file is not None:
            for slot in range(on_disk):
                self._file.allocate(slot)
        self._wait_for_reads()
        if self._file is not None:
            records.copy_to(self._file.records[:on_disk])
        records.copy_to(self._slab[:in_ram], first=on_disk)
        self._free_disk = self._free_disk[: len(self._free_disk) - on_disk]
        self._free_host = self._free_host[: self.host - in_ram]
        self._in_ram, self._on_disk = in_ram, on_disk
        return torch.cat((torch.arange(self.host, self.host + on_disk), torch.arange(in_ram)))

    def clear(self) -> None:
        """
        Forget every record.

        `give_back` writes zeros over those on disk, and gives the bytes of all back, unless they
        are locked for a GPU.
        """
        self.give_up_frozen()
        if self._file is not None and self._file.nbytes:
            try:
                new = self._new_file()
            except ValueError as error:
                _log.warning('the archive goes on in the file it has: %s', error)
                while self._file.wipe():
                    pass
            else:
                self._left_files.append(self._file)
                self._file = new
        if self._locked is None:
            self._left.append(self._ram)
        self._reserve()

    def give_back(self) -> bool:
        """Give back a piece of what `clear` left; returns whether there is more."""
        if self._left_files:
            if not self._left_files[0].wipe():
                self._left_files.popleft().close()
        elif self._left and not self._left[0].give_back():
            self._left.popleft()
        return bool(self._left or self._left_files)

    def wipe_left(self) -> Iterator[None]:
        """Do what `give_back` does, piece by piece, until nothing that was left is on disk."""
        while self._left_files:
            self.give_back()
            yield

    def close(self) -> None:
        """Remove the file and unlock RAM; nothing may follow."""
        if self._locked is not None:
            self._locked.unlock()
            self._locked = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _at(self, address: int) -> Tensor:
        if address < self.host:
            return self._slab[address]
        assert self._file is not None
        return self._file.records[address - self.host]
