# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import ctypes
from pathlib import Path

import pytest

from livevlm_ros.freed import return_freed

BLOCK = 100_000  # bytes, too few to have a mapping of their own


def _resident() -> int:
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith('RssAnon'))


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), 'malloc_trim'), reason='needs glibc')
def test_what_was_freed_between_things_in_use_is_returned() -> None:
    blocks = [bytearray(BLOCK) for _ in range(1000)]
    del blocks[::2]
    before = _resident()
    return_freed()
    assert before - _resident() > 0.8 * BLOCK * len(blocks)
