# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Count what moves between host and device while a block runs."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class Copies(TorchFunctionMode):
    """
    Adds up the bytes of tensors that this thread copies from host to device and back.

    What `to`, `cpu` and `copy_` move counts: numbers that Python takes out of a tensor do not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.to_device = self.to_host = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch and count what it moved."""
        result = func(*args, **(kwargs or {}))
        if func in (Tensor.to, Tensor.cpu):
            self._count(args[0], result)
        elif func is Tensor.copy_:
            self._count(args[1], args[0])
        return result

    def _count(self, source: Tensor, target: Tensor) -> None:
        before, after = source.device.type, target.device.type
        if before == after:
            return
        if after == 'cpu':
            self.to_host += source.nbytes
        else:
            self.to_device += source.nbytes
