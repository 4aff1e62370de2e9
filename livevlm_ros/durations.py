# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lengths of time as they are typed."""

from __future__ import annotations

import re


def typed_seconds(text: str) -> float:
    """
    Read a length of time such as 90, 90s, 5m, 2h or 1d.

    :raises ValueError: for a text that is none
    """
    match = re.fullmatch(r'(\d+(?:\.\d+)?|\.\d+)([smhd]?)', text.strip())
    if match is None:
        raise ValueError('expected a length of time such as 90s, 5m, 2h or 1d')
    return float(match[1]) * {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}[match[2]]
