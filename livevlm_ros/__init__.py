# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""livevlm_ros: a robot's camera memory that can be asked questions."""

__version__ = '0.1.0'
