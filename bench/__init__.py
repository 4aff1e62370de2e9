# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Measurements against the peers' methods, side by side in one run.

Installed as the package `livevlm_bench`; `livevlm bench` runs it, nothing else knows of it.
"""
