# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS side: everything that imports rclpy. Import its modules by name."""
