# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read views: what the language layers attend to during one step, one probe, one question."""
