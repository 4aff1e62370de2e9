# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What rosbag2 compresses, file by file or message by message, as it was before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from zstandard import ZstdDecompressor, ZstdError

_MAGIC = b'\x28\xb5\x2f\xfd'  # of a zstd frame; CDR begins with a zero


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """
    Give a bag by a name that its reader knows, a compressed file unpacked, as far as it is whole.

    :param path: bag folder, or storage file
    """
    if path.is_dir() or path.suffix in ('.mcap', '.db3'):
        yield path
        return
    with TemporaryDirectory(prefix='livevlm-bag-') as folder:
        packed = path.suffix.lower() == '.zstd'
        plain = Path(folder) / (path.stem if packed else path.name).lower()
        if packed:
            with path.open('rb') as source, plain.open('wb') as target, suppress(ZstdError):
                ZstdDecompressor().copy_stream(source, target)
        else:
            plain.symlink_to(path.resolve())
        yield plain


def unpacked_message(data: bytes) -> bytes:
    """Return a serialised message; one that is damaged as it is."""
    if data[:4] == _MAGIC:
        with suppress(ZstdError):
            return ZstdDecompressor().decompressobj().decompress(data)
    return data
