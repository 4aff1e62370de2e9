# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the rooms below say with Python's logging goes to the ROS log."""

from __future__ import annotations

import logging

from rclpy.node import Node

PACKAGE = 'livevlm_ros'


class RosLog(logging.Handler):
    """Hands the package's log records to a node's logger."""

    _level_before = logging.NOTSET  # of the package, when the first of them began to listen

    def __init__(self, node: Node) -> None:
        super().__init__(logging.INFO)
        self._logger = node.get_logger()
        package = logging.getLogger(PACKAGE)
        if not _listening(package):
            RosLog._level_before = package.level
        package.addHandler(self)
        package.setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; each level from its own line, as rclpy asks for."""
        text = self.format(record)  # with the traceback of what was caught
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)

    def close(self) -> None:
        """Stop listening; without a listener the package is as quiet as before."""
        package = logging.getLogger(PACKAGE)
        package.removeHandler(self)
        if not _listening(package):
            package.setLevel(RosLog._level_before)
        super().close()


def _listening(package: logging.Logger) -> bool:
    return any(isinstance(handler, RosLog) for handler in package.handlers)
