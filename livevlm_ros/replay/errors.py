# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the user gave and what cannot be used of it."""


class BadInput(ValueError):
    """Something given by the user cannot be used: says what, what was expected and what to do."""
