# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for launch.substitutions."""

from . import perform


class LaunchConfiguration:
    """The value of a launch argument."""

    def __init__(self, name):
        self.name = name

    def perform(self, context):
        """Look it up; an undeclared argument is an error."""
        return context.launch_configurations[self.name]


class EnvironmentVariable:
    """The value of an environment variable."""

    def __init__(self, name, *, default_value):
        self.name, self.default = name, default_value

    def perform(self, context):
        """Look it up."""
        return context.environment.get(self.name, perform(self.default, context))
