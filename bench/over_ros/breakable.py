# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The node of this package, whose engine fails where it is told to: a process of its own.

An order is a file in the folder that `ORDERS` names. It is called as the stage that is to fail and
says with what; who comes to that stage takes the file away and fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import torch

from livevlm_ros.engine import snapshots
from livevlm_ros.memory import Memory
from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.short_term import ShortTerm
from livevlm_ros.model import VideoLanguageModel
from livevlm_ros.node.heap import share_few_heaps
from livevlm_ros.node.main import main
from livevlm_ros.node.stopping import hear_signals

ORDERS = 'LIVEVLM_FAULT_ORDERS'

STAGES: dict[str, tuple[Any, str]] = {
    'encode': (VideoLanguageModel, 'encode_frames'),
    'step': (ShortTerm, 'stage'),
    'archive': (Archive, 'put'),
    'read': (Memory, 'question'),
    'decode': (VideoLanguageModel, 'logits'),
    'snapshot': (snapshots, 'write_snapshot'),
}
"""What of the engine is made to fail, by the name of the stage."""

FAILURES = {
    kind.__name__: kind
    for kind in (RuntimeError, ValueError, MemoryError, OSError, torch.OutOfMemoryError)
}


def fail_on_order(orders: Path) -> None:
    """Let every stage look for an order first."""
    for stage, (owner, name) in STAGES.items():
        setattr(owner, name, _breakable(orders / stage, getattr(owner, name)))


def _breakable(order: Path, work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def run(*given: Any, **named: Any) -> Any:
        try:
            failure = order.read_text(encoding='utf-8')
            order.unlink()
        except FileNotFoundError:
            return work(*given, **named)
        raise FAILURES[failure](f'{failure} injected into {order.name}')

    return run


if __name__ == '__main__':
    share_few_heaps()
    fail_on_order(Path(os.environ[ORDERS]))
    sys.exit(main(hear_signals()))
