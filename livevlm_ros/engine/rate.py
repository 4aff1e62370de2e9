# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rate gate: at most so many frames of a camera per second, measured by their stamps."""

from __future__ import annotations

SLACK = (
    0.05  # of a period: a camera that runs at the target rate with a little jitter loses no frame
)


class RateGate:
    """
    Says which stamps are due.

    The due times keep their phase while frames come in time, so that jitter does not add up to a
    lower rate; after a gap they start again from the frame that ended it.
    """

    def __init__(self, target_fps: float) -> None:
        self._period_ns = round(1e9 / target_fps)
        self._slack_ns = round(self._period_ns * SLACK)
        self._due_ns: int | None = None
        self._due_before_ns: int | None = None

    def due(self, stamp_ns: int) -> bool:
        """Return whether a frame with this stamp may be taken."""
        return self._due_ns is None or stamp_ns >= self._due_ns - self._slack_ns

    def take(self, stamp_ns: int) -> None:
        """Note that the frame with this stamp was taken."""
        self._due_before_ns = self._due_ns
        in_phase = self._due_ns is not None and stamp_ns <= self._due_ns + self._slack_ns
        self._due_ns = (
            self._due_ns if in_phase and self._due_ns is not None else stamp_ns
        ) + self._period_ns

    def give_back(self) -> None:
        """Undo the latest `take`: its frame was of no use."""
        self._due_ns = self._due_before_ns

    def restart(self) -> None:
        """Let the next frame pass, whatever its stamp."""
        self._due_ns = self._due_before_ns = None
