# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from livevlm_bench.kernel_cases import QUICK_SIZES, KernelCase, cases
from livevlm_bench.kernel_suite import measure
from livevlm_bench.kernel_table import NO_GPU, print_kernels
from livevlm_ros.replay.table import report_console


def test_the_twin_stands_beside_the_naive_way(capsys: pytest.CaptureFixture) -> None:
    found = measure(cases('cpu', **QUICK_SIZES), 'cpu', rounds=3)
    for row in found['rows']:
        assert row.keys() == {'kernel', 'what', 'naive', 'twin'}
        assert row['naive']['times_as_fast']['p50'] == 1.0
        assert row['twin']['wall_ms']['p50'] > 0 and row['twin']['cpu_ms']['p50'] > 0
        assert row['naive']['differs_by'] < 1e-6
    assert json.loads(json.dumps(found)) == found
    print_kernels(found, report_console())
    out = capsys.readouterr().out
    assert 'page means' in out and 'twin' in out and NO_GPU in out


def test_what_differs_is_told_and_triton_is_timed_where_it_is(
    capsys: pytest.CaptureFixture,
) -> None:
    @contextmanager
    def case() -> Iterator[KernelCase]:
        yield KernelCase(
            'page scores',
            'few',
            naive=lambda: torch.tensor([1.0, 3.0]),
            twin=lambda: torch.tensor([1.0, 2.0]),
            triton=lambda: torch.tensor([1.0, 2.0]),
        )

    found = measure([case()], 'cpu', rounds=2)
    (row,) = found['rows']
    assert [row[way]['differs_by'] for way in ('naive', 'twin', 'triton')] == [0.5, 0.0, 0.0]
    print_kernels(found, report_console())
    out = capsys.readouterr().out
    assert 'triton' in out and NO_GPU not in out
