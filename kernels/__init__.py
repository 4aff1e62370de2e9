# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Triton kernels, one a file, each beside the plain-torch twin that its parity test compares it with.

This release has none: everything runs on torch alone. Installed as the package `livevlm_kernels`.
"""
