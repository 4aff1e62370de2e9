# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2's launch, which is not on PyPI: runs a description without starting anything.

Only what our launch files use, with launch's own names and meaning. The tests take it where launch
itself is not importable.
"""

import os


class LaunchContext:
    """What a description is run in: arguments and environment."""

    def __init__(self):
        self.launch_configurations = {}
        self.environment = os.environ


class Action:
    """Something that happens; `visit` does it and returns what comes of it."""

    def visit(self, context):
        """Do it."""
        return self.execute(context)

    def execute(self, context):
        """Do nothing; subclasses do."""


class LaunchDescription(Action):
    """A list of actions."""

    def __init__(self, entities):
        self.entities = entities

    def execute(self, context):
        """Return the actions."""
        return self.entities


def perform(value, context):
    """Return the text of a string or a substitution."""
    return value if isinstance(value, str) else value.perform(context)
