# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`livevlm view`: a page to look at a node's cameras and memory, and to ask it."""
