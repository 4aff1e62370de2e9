# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that show what cameras saw: nobody else reads them, wherever their folder lies."""

from __future__ import annotations

import errno
import os
import stat

WRITING = os.O_WRONLY | os.O_RDWR


def private(name: str, flags: int) -> int:
    """
    Open a file for its owner alone, as the `opener` of `open`; one that is there is his, too.

    A link in its place is not followed, and a pipe is not waited for.

    :raises OSError: for either, and for writing to a file of somebody else
    """
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, 'not a regular file', name)
        if flags & WRITING:
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
