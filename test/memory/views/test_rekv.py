# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ReKV as its authors run it: two passes over the frames that each layer found, and no others."""

from collections.abc import Callable

import pytest
import torch

from livevlm_ros.memory import FrameRef, Memory, ReadFilter

CAMERAS = ('left', 'right')
FILTERS = [ReadFilter(), ReadFilter(cameras=frozenset({'left'})), ReadFilter(first_ns=50)]


def _watched(small: Callable, see: Callable) -> tuple[Memory, dict]:
    memory = small('rekv', retrieval='frames-only')
    refs = [FrameRef(c, s + n) for s in range(10, 220, 10) for n, c in enumerate(CAMERAS)]
    seen = {}
    for ref in refs:
        seen[ref] = see(memory, ref)
        memory.settle()
    return memory, seen


@pytest.mark.parametrize('reading', FILTERS, ids=['all', 'camera', 'times'])
def test_each_layer_reads_the_frames_whose_raw_products_are_best(
    small: Callable, see: Callable, ask: Callable, tokens: Callable, reading: ReadFilter
) -> None:
    memory, seen = _watched(small, see)
    newest = 0
    for seed in range(900, 912):
        _, views = ask(memory, seed=seed, reading=reading)
        q = tokens(seed, 4).q
        for layer in (0, 1):
            worth = {
                ref: sum(
                    float(q[layer, head].mean(0) @ frame.k[layer, head // 2].mean(0))
                    for head in range(4)
                )
                for ref, frame in seen.items()
                if reading.contains(ref)
            }
            best = sorted(worth, key=worth.__getitem__)[-3:]
            expected = sorted(n for ref in best for n in memory.ids.of_frame(ref).tolist())
            assert views[-1].ids(layer).tolist() == expected
            newest += sum(ref in list(seen)[-4:] for ref in best)
    assert 0 < newest < 12 * 2 * 3  # short-term competes, and is not read for itself


def test_the_second_pass_reads_what_the_first_found(
    small: Callable, see: Callable, ask: Callable
) -> None:
    memory, _ = _watched(small, see)
    out, views = ask(memory, answer=[950, 951])
    assert len(views) == 2 and views[0] is views[1]
    assert sum(share for _, share in views[-1].evidence()) == pytest.approx(1.0)
    again, _ = ask(memory, answer=[950, 951])
    torch.testing.assert_close(again, out)
