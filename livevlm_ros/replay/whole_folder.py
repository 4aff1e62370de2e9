# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders that are written whole or not at all, so that no half result stands in the way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from livevlm_ros.replay.errors import BadInput


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """
    Give a temporary folder, whose content becomes that of the folder once it is written.

    It lies beside a new folder and takes its place. An empty folder stays, for it may be a mount
    or where a shell stands; the temporary one lies within.

    :param folder: new or empty
    :raises BadInput: where the disk is full or cannot be written; the folder is then as it was
    """
    target = folder.resolve()
    stays = target.is_dir()
    part = (target if stays else target.parent) / f'.{target.name}.{os.getpid()}'
    try:
        part.mkdir(parents=True)
        yield part
        if stays:
            for each in list(part.iterdir()):
                each.rename(target / each.name)
        else:
            part.rename(target)
    except OSError as error:
        raise BadInput(f'{folder}: cannot be written: {error.strerror}') from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
