# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The papers' retrieval: each layer ranks pages, or frames, by their mean keys for itself."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import FrameRef, Memory, ReadFilter

CAMERAS = ('left', 'right')
CASES = {  # preset, how pages are found, tokens of a page
    'livevlm': ('livevlm', 'means', 2),
    'archive by means': ('balanced', 'means', 2),
    'rekv': ('rekv', 'frames', 4),
    'frames of long-term': ('livevlm', 'frames', 4),
}
FILTERS = [
    ReadFilter(),
    ReadFilter(cameras=frozenset({'left'})),
    ReadFilter(first_ns=50, last_ns=171),
    ReadFilter(without=frozenset(FrameRef('left', stamp) for stamp in range(20, 200, 20))),
    ReadFilter(share=0.5),
]


class Watched:
    """A memory that has watched two cameras, and what its frames were made of."""

    def __init__(self, memory: Memory, see: Callable) -> None:
        self.memory = memory
        refs = [FrameRef(c, s + n) for s in range(10, 220, 10) for n, c in enumerate(CAMERAS)]
        self.seen = {}
        for ref in refs:
            self.seen[ref] = see(memory, ref)
            memory.settle()

    def left(self) -> tuple[Tensor, Tensor]:
        """Keys and ids of the tokens that left short-term, page after page."""
        state = self.memory.state()
        if state.facts['archive']:
            refs = list(self.seen)[:-4]
            ids = torch.cat([self.memory.ids.of_frame(ref) for ref in refs])
            return torch.cat([self.seen[ref].k for ref in refs], 2), ids
        lanes = [state.part(f'long_term.{lane}').tensors for lane in range(2)]
        ids = torch.cat([lane['ids'] for lane in lanes])
        return torch.cat([lane['keys'] for lane in lanes], 2), ids

    def expected(self, q: Tensor, layer: int, reading: ReadFilter, *, size: int) -> list[int]:
        """Ids that a layer must read, page by page and head by head."""
        keys, ids = self.left()
        by_frame = {self.memory.ids.frame(ref): ref for ref in self.seen}
        allowed = [reading.contains(by_frame[f]) for f in self.memory.ids.frames(ids).tolist()]
        pages = [
            page
            for page in range(len(ids) // size)
            if any(allowed[size * page : size * (page + 1)])
        ]
        worth = torch.zeros(len(pages))
        for head in range(4):
            logits = [
                keys[layer, head // 2, size * page : size * (page + 1)].mean(0)
                @ q[layer, head].mean(0)
                / 8**0.5
                for page in pages
            ]
            worth += torch.stack(logits).softmax(0) / 4
        most = max(1, int(3 * 4 // size * reading.share))
        best = [pages[n] for n in worth.argsort(descending=True)[:most].tolist()]
        chosen = [
            int(ids[token])
            for page in best
            for token in range(size * page, size * (page + 1))
            if allowed[token]
        ]
        ring = [ref for ref in list(self.seen)[-4:] if reading.contains(ref)]
        return sorted(chosen + [n for ref in ring for n in self.memory.ids.of_frame(ref).tolist()])


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('reading', FILTERS, ids=['all', 'camera', 'times', 'without', 'share'])
def test_each_layer_reads_the_pages_its_mean_query_is_most_like(
    small: Callable, see: Callable, ask: Callable, tokens: Callable, case: str, reading
) -> None:
    preset, retrieval, size = CASES[case]
    watched = Watched(small(preset, retrieval=retrieval), see)
    differ = 0
    for seed in (900, 901, 902):
        _, (view,) = ask(watched.memory, seed=seed, reading=reading)  # without a probe
        read = [view.ids(layer).tolist() for layer in (0, 1)]
        q = tokens(seed, 4).q
        assert read == [watched.expected(q, n, reading, size=size) for n in (0, 1)]
        differ += read[0] != read[1]
        assert view.tokens_read == [len(ids) for ids in read]
    assert differ


@pytest.mark.parametrize('case', CASES)
def test_a_layer_that_found_other_pages_has_its_own_frames_in_evidence(
    small: Callable, see: Callable, ask: Callable, case: str
) -> None:
    preset, retrieval, _ = CASES[case]
    watched = Watched(small(preset, retrieval=retrieval), see)
    _, (view,) = ask(watched.memory)
    both = torch.cat([view.ids(0), view.ids(1)])
    read = [watched.memory.ids.frame(ref) for ref in view.frames()]
    assert read == watched.memory.ids.frames(both).unique().tolist()
    assert sum(share for _, share in view.evidence()) == pytest.approx(1.0)


@pytest.mark.parametrize('case', ['archive by means', 'rekv'])
def test_frames_that_thinning_moves_are_found_by_their_own_means(
    small: Callable, see: Callable, ask: Callable, case: str
) -> None:
    preset, retrieval, _ = CASES[case]
    memory = small(preset, 'front', retrieval=retrieval, archive_host_bytes=2**15)
    for stamp in range(400):
        see(memory, FrameRef('front', stamp), needle=5.0 if stamp == 395 else None)
        memory.settle()
    _, (view,) = ask(memory, want=1.0)
    assert FrameRef('front', 395) in view.frames()
    assert memory.sizes().archive_tokens < 4 * 200


@pytest.mark.parametrize('case', CASES)
def test_a_probe_is_neither_needed_nor_given(
    small: Callable, see: Callable, ask: Callable, case: str
) -> None:
    preset, retrieval, _ = CASES[case]
    watched = Watched(small(preset, retrieval=retrieval), see)
    assert watched.memory.probe(tokens=4) is None
    for _ in range(2):
        _, views = ask(watched.memory, key='what')
        assert len(views) == 1 and not views[0].speculated
