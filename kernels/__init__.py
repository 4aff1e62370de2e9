# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The room for Triton kernels: each has a plain-torch twin, and works without Triton through it.

Installed as the package `livevlm_kernels`. `X.py` holds what callers use and the twin,
`X_triton.py` the kernels, which nothing imports before a tensor is on a GPU.
"""
