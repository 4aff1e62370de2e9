# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Suite `kernels`: each kernel's torch twin against the naive way, and Triton's where a GPU is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from livevlm_bench.gpu_layers import wait
from livevlm_bench.kernel_cases import Case, KernelCase, difference
from livevlm_bench.question_suite import Progress
from livevlm_bench.report_head import head
from livevlm_bench.rounds import Contender, in_rounds, quotients
from livevlm_bench.threads import one_thread

DONE = 'done'
WARM_UP = 2
SEED = 0


def measure(
    cases: Sequence[Case],
    device: str,
    *,
    rounds: int,
    progress: Progress = lambda name, share: None,
) -> dict[str, Any]:
    """
    Time all ways to do each task in turn, on one thread.

    :param rounds: that count, after `WARM_UP` others
    :returns: the report's head, and `rows`, one a task
    """
    rows = []
    with one_thread():
        for number, entered in enumerate(cases):
            with entered as case:
                progress(case.kernel, number / len(cases))
                rows.append(_row(case, torch.device(device), rounds))
    return {
        **head('kernels', seed=SEED, threads=1, device=device),
        'rounds': rounds,
        'warm_up': WARM_UP,
        'rows': rows,
    }


def _row(case: KernelCase, device: torch.device, rounds: int) -> dict[str, Any]:
    ways = {'naive': case.naive, 'twin': case.twin, 'triton': case.triton}
    given = {name: way for name, way in ways.items() if way is not None}
    expected = case.twin()
    laps = in_rounds(
        {name: Contender(_timed(way, device), lambda: None) for name, way in given.items()},
        rounds=rounds,
        warm_up=WARM_UP,
    )
    return {
        'kernel': case.kernel,
        'what': case.what,
        **{
            name: {
                **laps[name][DONE].report(),
                'times_as_fast': quotients(laps['naive'][DONE], laps[name][DONE])._asdict(),
                'differs_by': difference(case.kernel, way(), expected),
            }
            for name, way in given.items()
        },
    }


def _timed(way: Callable[[], Tensor], device: torch.device) -> Callable[[int], Iterator[str]]:
    def run(number: int) -> Iterator[str]:
        way()
        wait(device)
        yield DONE

    return run
