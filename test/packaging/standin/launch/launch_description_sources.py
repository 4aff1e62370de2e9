# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for launch.launch_description_sources."""


class PythonLaunchDescriptionSource:
    """A launch file in Python."""

    def __init__(self, path):
        self.path = path
