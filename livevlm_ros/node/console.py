# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The faults of `/diagnostics` on the console: each once, and once that it is over."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.impl.rcutils_logger import RcutilsLogger

from livevlm_ros.node.diagnostics import ERROR, STALE, Health

LASTING_S = 5.0  # for which a warning, or the end of a fault, must last to be told


class Console:
    """Tells of faults that are new; errors at once."""

    def __init__(self, logger: RcutilsLogger) -> None:
        self._logger = logger
        self._told: dict[str, str] = {}  # fault by task
        self._seen: dict[str, tuple[str, float]] = {}  # fault by task, and since when

    def tell(self, found: Sequence[Health], now_s: float) -> None:
        """
        Tell what is new.

        :param now_s: steady time
        """
        for health in found:
            if health.level == STALE:  # the node is not active: nothing is at fault
                self._told.pop(health.task, None)
            if self._seen.get(health.task, ('', 0.0))[0] != health.fault:
                self._seen[health.task] = health.fault, now_s
            since_s = self._seen.setdefault(health.task, (health.fault, now_s))[1]
            lasts = health.level == ERROR or now_s - since_s >= LASTING_S
            if lasts and health.fault != self._told.get(health.task, ''):
                self._told[health.task] = health.fault
                self._log(health)

    def _log(self, health: Health) -> None:
        text = f'{health.task}: {health.message}'
        if not health.fault:
            self._logger.info(f'{text}; all is well again')
        elif health.level == ERROR:
            self._logger.error(text)
        else:
            self._logger.warning(text)
