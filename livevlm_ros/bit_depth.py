# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sensors of 10, 12 and 14 bits in 16-bit values: which of the bits make the picture."""

from __future__ import annotations

import numpy as np

DEPTHS = (10, 12, 14, 16)
"""Bits that sensors have, of those whose values need two bytes."""


class BitDepth:
    """
    The bits of one camera's values.

    Unless they are given, they are the fewest of `DEPTHS` that hold the brightest value seen. They
    only grow: a picture is never brighter than the one before because something bright left it.
    """

    def __init__(self, bits: int = 0) -> None:
        """
        Begin with a camera.

        :param bits: of its values, which fill the low bits; 0: by the brightest value seen
        """
        self._grows = not bits
        self.bits = bits or DEPTHS[0]

    def to_8_bits(self, values: np.ndarray) -> np.ndarray:
        """Return uint16 values as uint8 of the same shape; values beyond the bits are white."""
        if self._grows:
            brightest = int(values.max(initial=0))
            needed = next(bits for bits in DEPTHS if brightest < 1 << bits)
            self.bits = max(self.bits, needed)
        return np.minimum(values >> max(0, self.bits - 8), 255).astype(np.uint8)
