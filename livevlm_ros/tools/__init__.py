# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Programs for people: they talk to a running node, or to an engine of their own."""
