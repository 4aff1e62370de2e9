# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""livevlm_ros: a robot's camera memory that can be asked questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livevlm_ros.late import late

if TYPE_CHECKING:
    from livevlm_ros.api import Answer, BadInput, Engine, Fields, NotDone, Stream, Watching

__all__ = ['Answer', 'BadInput', 'Engine', 'Fields', 'NotDone', 'Stream', 'Watching']

__version__ = '0.1.0'

__getattr__ = late(__name__, dict.fromkeys(__all__, 'livevlm_ros.api'))
