# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings in, questions asked at their stamps, reports out; writes recordings too."""

from livevlm_ros.replay.errors import BadInput

__all__ = ['BadInput']
