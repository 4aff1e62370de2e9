# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which form of a camera's images is taken where the parameters leave it open."""

from __future__ import annotations

from collections.abc import Collection

UNHEARD_S = 2.0  # for a publisher to send its first image, while the other form has one too
MOST_UNHEARD_S = 60.0  # the same, after every form has been tried in vain
PAUSE_S = 10.0  # for one that has sent images


class TransportChoice:
    """Takes what is published, raw first, and keeps what delivers; asked at every look."""

    def __init__(self) -> None:
        self._saw_compressed = False
        self._patience_s = UNHEARD_S

    @property
    def in_vain(self) -> bool:
        """Whether a form was given up, and no image has come since."""
        return self._patience_s > UNHEARD_S

    def choose(
        self, current: str, published: Collection[str], *, silent_s: float, heard: bool
    ) -> str:
        """
        Return the form to take now, '' for none yet.

        :param current: the form that is taken
        :param published: the forms that have a publisher
        :param silent_s: seconds since `current` was taken, or since its last image
        :param heard: whether an image of it has come
        """
        if heard:
            self._patience_s = UNHEARD_S
        if current in published:
            return self._unless_silent(current, published, silent_s, heard)
        if 'raw' in published or not published:
            return 'raw' if published else current
        if not current and not self._saw_compressed:
            self._saw_compressed = True  # raw of the same camera may be discovered a moment later
            return ''
        return 'compressed'

    def _unless_silent(
        self, current: str, published: Collection[str], silent_s: float, heard: bool
    ) -> str:
        others = [form for form in published if form != current]
        if not others or silent_s < (PAUSE_S if heard else self._patience_s):
            return current
        self._patience_s = min(2 * self._patience_s, MOST_UNHEARD_S)
        return others[0]
