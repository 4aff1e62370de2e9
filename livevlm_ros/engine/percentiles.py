# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Percentiles of latencies, for everybody who tells them."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of milliseconds; NaN without samples."""

    p50: float = math.nan
    p95: float = math.nan
    p99: float = math.nan
    max: float = math.nan

    @classmethod
    def of(cls, samples: Collection[float]) -> Percentiles:
        """Return the percentiles, between two samples in proportion."""
        if not samples:
            return cls()
        return cls(*np.percentile(list(samples), (50, 95, 99, 100)).tolist())
