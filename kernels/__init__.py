# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The room for Triton kernels, one a file, each beside its plain-torch twin and their parity test.

This release has none: everything runs on torch alone. Installed as the package `livevlm_kernels`.
"""
