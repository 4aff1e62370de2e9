# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recoverable eviction: every frame that left short-term, compressed, in RAM and then on disk."""
