# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The files of a journal: what changed a memory since its snapshot, one entry after another.

A file is a first line and entries, each its length, a checksum and its bytes. The snapshot names
the file that follows it, and the last entry of a file may name the next one. Where a process was
killed, or a disk failed, an entry is torn: there the journal ends, and goes on when it is opened
again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Generator, Iterator
from io import BufferedReader
from pathlib import Path

import safetensors.torch

from livevlm_ros.memory.private_file import private
from livevlm_ros.memory.snapshot import JOURNALS, UnreadableSnapshot
from livevlm_ros.memory.state import State

FIRST_LINE = b'livevlm_ros journal 1\n'
GOES_ON_IN = 'goes_on_in'
"""Fact of the last entry of a file that another one follows: that one's name."""

LENGTH_BYTES, CHECKSUM_BYTES = 8, 32


def is_name(name: object) -> bool:
    """Return whether something is the name of a journal's file, which leads to no other folder."""
    return isinstance(name, str) and re.fullmatch('[0-9a-z]{1,64}', name) is not None


def journal_file(folder: Path, name: str) -> Path:
    """Return the file of a name."""
    return folder / JOURNALS.replace('*', name)


def packed(entry: State) -> list[bytes]:
    """Return the bytes of an entry in pieces; its tensors lie on any device."""
    facts = json.dumps(entry.facts).encode()
    tensors = {name: tensor.cpu().contiguous() for name, tensor in entry.tensors.items()}
    content = [_length(len(facts)), facts, safetensors.torch.save(tensors)]
    length = _length(sum(map(len, content)))
    checksum = hashlib.sha256(length)
    for piece in content:
        checksum.update(piece)
    return [length, checksum.digest(), *content]


class JournalReader:
    """
    Reads a journal, file after file, up to the first entry that is torn or damaged.

    `name` is the file that it came to, `end` where the entries there end that whoever reads has
    gone through, `nbytes` how many bytes of all files were good, and `ignored` how many more the
    last one has.

    :param name: of the first file
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self.name = folder, name
        self.end = self.nbytes = self.ignored = 0

    @property
    def file(self) -> Path:
        """The file that it came to."""
        return journal_file(self._folder, self.name)

    def entries(self) -> Iterator[State]:
        """
        Give all entries; who stops before the last one ends the journal there.

        :raises UnreadableSnapshot: if the system does not let a file be read
        """
        read = {self.name}
        while (following := (yield from self._of_file())) is not None:
            if following in read or not is_name(following):
                return
            self.name, self.end = following, 0
            read.add(following)

    def _of_file(self) -> Generator[State, None, str | None]:
        """Give the entries of one file; returns the name of the next one, None if this is last."""
        try:
            with open(self.file, 'rb', opener=private) as opened:
                self.ignored = size = os.fstat(opened.fileno()).st_size
                if opened.read(len(FIRST_LINE)) != FIRST_LINE:
                    return None
                self._good_to(opened.tell(), size)
                while (entry := _next_entry(opened)) is not None:
                    following = entry.facts.get(GOES_ON_IN)
                    if following is None:
                        yield entry
                    self._good_to(opened.tell(), size)
                    if following is not None:
                        return str(following)
        except FileNotFoundError:
            self.ignored = 0
        except OSError as error:
            raise UnreadableSnapshot.because(self.file, error) from error
        return None

    def _good_to(self, end: int, size: int) -> None:
        self.nbytes += end - self.end
        self.end, self.ignored = end, size - end


def _next_entry(file: BufferedReader) -> State | None:
    """Read an entry; None if it is torn or damaged, or there is none."""
    length, checksum = file.read(LENGTH_BYTES), file.read(CHECKSUM_BYTES)
    left = os.fstat(file.fileno()).st_size - file.tell()
    if int.from_bytes(length, 'little') > left:
        return None
    content = file.read(int.from_bytes(length, 'little'))
    if hashlib.sha256(length + content).digest() != checksum:
        return None
    start = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], 'little')
    facts = json.loads(content[LENGTH_BYTES:start])
    return State(safetensors.torch.load(content[start:]), facts)


def _length(nbytes: int) -> bytes:
    return nbytes.to_bytes(LENGTH_BYTES, 'little')
