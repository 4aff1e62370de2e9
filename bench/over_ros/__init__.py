# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a running node stands, over ROS: faults, short budgets, crowds, hours."""
