# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Count what moves between host and device while a block runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


class Copies(TorchDispatchMode):
    """Adds up the bytes of tensors that this thread copies from one kind of device to another."""

    def __init__(self) -> None:
        super().__init__()
        self.to_device = self.to_host = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is aten._to_copy.default:
            self._count(args[0], result)
        elif func is aten.copy_.default:
            self._count(args[1], result)
        return result

    def _count(self, source: Tensor, target: Tensor) -> None:
        before, after = source.device.type, target.device.type
        if before == after:
            return
        if after == 'cpu':
            self.to_host += source.nbytes
        else:
            self.to_device += source.nbytes
