# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2's launch_ros, which is not on PyPI."""
