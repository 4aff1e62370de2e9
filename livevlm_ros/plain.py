# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Text of others as a terminal may show it."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """Return what others sent without what a terminal would obey; lines stay lines."""
    return ''.join(
        '\ufffd' if mark not in '\n\t' and unicodedata.category(mark) == 'Cc' else mark
        for mark in text
    )
