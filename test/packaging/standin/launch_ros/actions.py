# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for launch_ros.actions: the tests put their recording classes here."""
