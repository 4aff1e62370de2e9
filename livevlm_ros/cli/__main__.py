# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m livevlm_ros.cli` is the command `livevlm`."""

from livevlm_ros.cli import main

if __name__ == '__main__':
    main()
