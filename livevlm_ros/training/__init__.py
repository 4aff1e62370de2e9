# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the embedded model is made: the recipe, held-out curve, checkpoint and model card."""
