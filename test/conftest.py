# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of several rooms need."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest


@pytest.fixture
def runs_out() -> Callable[[int, Exception], AbstractContextManager]:
    """Let the n-th operation fail, with some error, whose result lies in new storage."""
    import torch  # which not every room's tests need
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    def place(leaf: object) -> int:
        return leaf.untyped_storage().data_ptr() if isinstance(leaf, torch.Tensor) else 0

    class RunsOut(TorchDispatchMode):
        def __init__(self, at: int, error: Exception) -> None:
            super().__init__()
            self._left, self._error = at, error

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            given = {place(leaf) for leaf in tree_leaves((args, kwargs))}
            if {place(leaf) for leaf in tree_leaves(out)} - given - {0}:
                self._left -= 1
                if not self._left:
                    raise self._error
            return out

    return RunsOut
