# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for launch.actions."""

import runpy

from . import Action, perform


class DeclareLaunchArgument(Action):
    """An argument of the launch file."""

    def __init__(self, name, *, description, default_value=None, choices=None):
        self.name, self.default_value = name, default_value
        self.description, self.choices = description, choices

    def execute(self, context):
        """Take the default where nothing is given, refuse what is no choice."""
        value = context.launch_configurations.setdefault(self.name, self.default_value)
        if value is None:
            raise RuntimeError(f'{self.name} is required')
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(f'{self.name}:={value} is none of {self.choices}')


class SetEnvironmentVariable(Action):
    """A variable for the processes that follow."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def execute(self, context):
        """Set it."""
        context.environment[self.name] = perform(self.value, context)


class OpaqueFunction(Action):
    """A function that returns actions."""

    def __init__(self, *, function):
        self.function = function

    def execute(self, context):
        """Call it."""
        return self.function(context)


class Shutdown(Action):
    """The end of everything."""

    def __init__(self, *, reason):
        self.reason = reason


class IncludeLaunchDescription(Action):
    """Another launch file, with the arguments of this one."""

    def __init__(self, source):
        self.source = source

    def execute(self, context):
        """Return the other file's description."""
        return [runpy.run_path(self.source.path)['generate_launch_description']()]
