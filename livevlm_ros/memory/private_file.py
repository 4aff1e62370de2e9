# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that show what cameras saw: nobody else reads them, wherever their folder lies."""

from __future__ import annotations

import os


def private(name: str, flags: int) -> int:
    """
    Open a file for its owner alone, as the `opener` of `open`.

    A link in its place is not followed, and a pipe is not waited for.

    :raises OSError: for either
    """
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
