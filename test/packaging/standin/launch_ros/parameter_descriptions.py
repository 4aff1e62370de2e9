# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-in for launch_ros.parameter_descriptions."""

from launch import perform


class ParameterValue:
    """A parameter's value with its type."""

    def __init__(self, value, *, value_type):
        self.value, self.value_type = value, value_type

    def evaluate(self, context):
        """Return the value as its type."""
        return self.value_type(perform(self.value, context))
