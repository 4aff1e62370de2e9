# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A large archive is ranked through its sketch about as through all of its keys."""

from collections.abc import Iterator
from threading import RLock
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from livevlm_ros.memory import CacheShape, FrameRef, ReadFilter, RetrievalSettings
from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.archive.centroids import PRODUCTS_AT_ONCE
from livevlm_ros.memory.archive.codebook import SPARE, Codebook
from livevlm_ros.memory.archive.costs import CENTROIDS, codes_bytes, index_bytes
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.archive.sketch import FIRST_FIT, SAMPLED_AT_ONCE, KeySketch
from livevlm_ros.memory.retrieval import RANKED_FRAMES, Choice, Retrieval, page_scores, scaled_rows
from livevlm_ros.memory.state import State
from livevlm_ros.memory.tokens import TokenIds, Tokens

SMALL = CacheShape(2, 4, 2, 16, 6, 1e4, 32768)
PAGE = 3
FRAMES = 1200
READ_FRAMES = 30
READ_PAGES = 60
SCENES = 40


class Stream:
    """
    Keys as a camera that goes from place to place makes them.

    What stands at a place in the picture changes little within a scene; scenes come back. A few
    channels are wide, as those of keys before rotary are.
    """

    def __init__(self, shape: CacheShape = SMALL) -> None:
        self.shape, self.source = shape, torch.Generator().manual_seed(5)
        self.widths = 0.3 + 2.5 * torch.rand(shape.head_dim, generator=self.source) ** 3
        place = (shape.layers, shape.kv_heads, shape.tokens_per_frame, shape.head_dim)
        self.scenes = self._drawn(SCENES, *place) * self.widths
        self.drift = torch.zeros(place)

    def _drawn(self, *size: int) -> Tensor:
        return torch.randn(size, generator=self.source)

    def keys(self, number: int) -> Tensor:
        """Keys of a frame, [layers, kv_heads, tokens, head_dim]."""
        scene = self.scenes[number // 15 * 7 % SCENES]
        self.drift = 0.9 * self.drift + 0.1 * self._drawn(*scene.shape)
        moved = self.drift + 0.15 * self._drawn(*scene.shape)
        return (scene + moved * self.widths).half().float()

    def question(self) -> dict[int, Tensor]:
        """Return queries of a question that looks for one thing of one scene with some words."""
        shape = self.shape
        wanted = self.scenes[int(torch.randint(SCENES, (1,), generator=self.source))]
        place = int(torch.randint(shape.tokens_per_frame, (1,), generator=self.source))
        queries = {}
        for layer in range(shape.layers):
            q = self._drawn(shape.q_heads, 5, shape.head_dim) / 2
            group = shape.q_heads // shape.kv_heads
            for head in range(shape.q_heads):
                q[head, :3] += 1.5 * wanted[layer, head // group, place] / self.widths
            queries[layer] = q
        return queries


class Watched:
    """An archive that has taken a stream, and the choice of a question from it."""

    def __init__(self, *, frames: int = FRAMES, room: int = 2 * FRAMES, layers=(0, 1)) -> None:
        self.ids = TokenIds(('front',), SMALL.tokens_per_frame)
        self.ids.start(0)
        layout = RecordLayout(SMALL, PAGE, 16)
        self.archive = Archive(
            self.ids,
            layout,
            lanes=1,
            sketched=layers,
            host_bytes=room * (layout.record_bytes + index_bytes(layout, layers)),
        )
        self.stream, self.keys, self.layers = Stream(), {}, layers
        self.settings = RetrievalSettings(PAGE, dict.fromkeys(layers, (0, 1, 2, 3)))
        self.watch(range(frames))

    def watch(self, numbers: range) -> None:
        for number in numbers:
            self.archive.put(self.tokens(number))
            while self.archive.tend():
                pass

    def tokens(self, number: int) -> Tokens:
        """Return the next frame of the stream, as the one of this number."""
        self.keys[number] = self.stream.keys(number)
        ids = self.ids.of_frame(FrameRef('front', number))
        return Tokens(self.keys[number], -self.keys[number], ids)

    def choose(self, queries: dict[int, Tensor], reading: ReadFilter | None = None) -> Choice:
        tiers: Any = SimpleNamespace(
            shape=SMALL,
            ids=self.ids,
            long_term=[],
            archive=self.archive,
            prefix_keys=torch.empty(0),
        )
        retrieval = Retrieval(tiers, self.settings, frames=READ_FRAMES)
        return retrieval.choose(queries, reading or ReadFilter())

    def check_codes(self) -> None:
        """Check that each key's centroid is as near as the nearest of those that were fitted."""
        sketch = self.archive.state().part('sketch')
        tensors, codes = sketch.tensors, sketch.rows['codes'].whole().movedim(0, 3)
        centroids = tensors['centroids']  # [layers, kv_heads, CENTROIDS, head_dim]
        for row, number in enumerate(self.archive.frames.tolist()):
            keys = self.keys[number][list(self.layers)]
            far = torch.cdist(keys, centroids)  # [layers, kv_heads, tokens, CENTROIDS]
            chosen = far.gather(-1, codes[..., row, None].long())[..., 0]
            assert bool((chosen <= far[..., : CENTROIDS - SPARE].amin(-1) + 1e-3).all())
            assert bool((codes[..., row] < tensors['used'][..., None]).all())


@pytest.fixture(scope='module')
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.archive.close()


def _raise(*given: object) -> None:
    raise MemoryError


def _pages(choice: Choice) -> set[int]:
    return set((choice.tokens.ids[::PAGE]).tolist())


def _exact(watched: Watched, queries: dict[int, Tensor], reading: ReadFilter) -> dict[int, float]:
    """Return what each page is worth when every frame is ranked by its keys, the best first."""
    frames = watched.archive.frames.sort().values
    frames = frames[[reading.contains(FrameRef('front', n)) for n in frames.tolist()]]
    rows = torch.tensor([watched.archive.frames.tolist().index(n) for n in frames.tolist()])
    scores = page_scores(
        {n: scaled_rows(q, None, kv_heads=SMALL.kv_heads) for n, q in queries.items()},
        lambda layer: watched.archive.keys(layer, rows),
        page_tokens=PAGE,
    )
    pages = watched.ids.of_frames(frames)[:, ::PAGE].flatten()
    best = scores.argsort(descending=True)
    return dict(zip(pages[best].tolist(), scores[best].tolist(), strict=True))


@pytest.mark.parametrize(
    'reading', [ReadFilter(), ReadFilter(first_ns=100, last_ns=900)], ids=['all', 'times']
)
def test_the_best_pages_are_read_though_few_frames_are_ranked_by_their_keys(
    watched: Watched, reading: ReadFilter
) -> None:
    """Of the best third, and of all in worth; the worst pages read are as good as those left."""
    found, read_worth, best_worth = 0, 0.0, 0.0
    for _ in range(20):
        queries = watched.stream.question()
        choice, worth = watched.choose(queries, reading), _exact(watched, queries, reading)
        read, best = _pages(choice), list(worth)[:READ_PAGES]
        assert (len(read), choice.ranked) == (READ_PAGES, RANKED_FRAMES * 2)
        found += len(read & set(best[: READ_PAGES // 3]))
        read_worth += sum(worth[page] for page in read)
        best_worth += sum(worth[page] for page in best)
    assert found / (20 * READ_PAGES // 3) >= 0.95
    assert read_worth / best_worth >= 0.95


def test_of_no_more_frames_than_are_ranked_the_best_pages_are_read_all(watched: Watched) -> None:
    reading = ReadFilter(last_ns=RANKED_FRAMES - 1)
    for _ in range(5):
        queries = watched.stream.question()
        best = list(_exact(watched, queries, reading))[:READ_PAGES]
        assert _pages(watched.choose(queries, reading)) == set(best)


def test_one_frame_in_many_is_found_through_the_sketch(watched: Watched) -> None:
    for number in (3, 400, 1111):
        target = watched.keys[number][:, :, 2]  # [layers, kv_heads, head_dim]
        queries = {n: 3 * target[n].repeat_interleave(2, 0)[:, None] for n in range(2)}
        stamps = watched.ids.frames(watched.choose(queries).tokens.ids).unique().tolist()
        assert number in stamps


def test_every_key_is_sketched_by_a_centroid_near_it(watched: Watched) -> None:
    watched.check_codes()


@pytest.mark.parametrize('frames', [FIRST_FIT + 40, 300])
def test_the_sketch_is_made_anew_as_the_archive_grows_and_no_code_is_left_behind(
    frames: int,
) -> None:
    watched = Watched(frames=frames, layers=(1,))
    watched.check_codes()
    watched.watch(range(frames, frames + 90))  # some of them while it is made anew
    watched.check_codes()
    watched.archive.close()


def test_a_full_archive_is_sketched_anew_as_often_as_half_of_it_has_changed() -> None:
    watched, fits = Watched(frames=0, room=300), set()
    for number in range(1200):
        watched.watch(range(number, number + 1))
        if number % 20 == 0:
            fits.add(watched.archive.state().part('sketch').facts['next_fit'])
            if watched.archive.sketch.ready:
                watched.check_codes()
    assert len(watched.archive) <= 300
    assert not torch.equal(watched.archive.frames, watched.archive.frames.sort().values)
    first, *others = sorted(fits)
    assert (first, *others[:2]) == (128, 192, 288)
    assert all(later - fit <= 160 for fit, later in zip(others[2:], others[3:], strict=False))


def test_an_archive_that_needs_no_sketch_makes_none() -> None:
    watched = Watched(frames=RANKED_FRAMES + 50, room=RANKED_FRAMES)
    assert not watched.archive.sketch.ready
    assert not watched.archive.state().part('sketch').tensors
    assert watched.choose(watched.stream.question()).ranked == 2 * len(watched.archive)
    watched.archive.close()


def test_counts_are_those_of_the_codes_whatever_failed_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched, failures = Watched(frames=FIRST_FIT), 0
    for number in range(FIRST_FIT, 400):
        frame = watched.tokens(number)
        with monkeypatch.context() as patch:
            patch.setattr(Codebook, ('open', 'encode', 'put')[number % 3], _raise)
            try:
                watched.archive.put(frame)  # without a codebook nothing fails
            except MemoryError:
                failures += 1
                patch.undo()
                watched.archive.put(frame)
        while watched.archive.tend():
            pass
    assert failures > 100
    book = watched.archive.sketch._now
    held = Codebook.restored(book.state(len(watched.archive), RLock()), rows=2 * FRAMES)
    assert torch.equal(book.counts, held.counts)
    watched.check_codes()
    watched.archive.close()
    watched.archive.close()


@pytest.mark.parametrize(('layers', 'tokens'), [(4, 9), (40, 4)])
def test_the_sketch_is_ready_before_frames_are_ranked_by_it(layers: int, tokens: int) -> None:
    shape = CacheShape(layers, 1, 1, 8, tokens, 1e4, 32768)
    sketch, rows = KeySketch(shape, range(layers), rows=2 * RANKED_FRAMES), []
    source = torch.Generator().manual_seed(0)

    def keys(layer: int, at: Tensor) -> Tensor:
        return torch.stack([rows[row][layer] for row in at.tolist()], 1).flatten(1, 2)

    while not sketch.ready:
        rows.append(torch.randn(layers, 1, tokens, 8, generator=source))
        sketch.put(len(rows) - 1, sketch.encode(rows[-1]))
        while sketch.catch_up(keys, lambda: len(rows), RLock()):
            pass
    assert FIRST_FIT < len(rows) <= RANKED_FRAMES


@pytest.mark.parametrize('tokens', [4, 196])
def test_a_piece_of_the_making_computes_few_distances(
    monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    """Whatever a frame has of tokens: a question waits for the piece that is being done."""
    computed = []

    def counted(keys: Tensor, centroids: Tensor, halves: Tensor | None = None):
        products = keys.shape[:-1].numel() * centroids.shape[-2]
        computed[-1] += products
        return torch.zeros(keys.shape[:-1], dtype=torch.int16), keys[..., 0].abs()

    for module in ('centroids', 'codebook'):
        monkeypatch.setattr(f'livevlm_ros.memory.archive.{module}.nearest', counted)
    sketch = KeySketch(CacheShape(2, 2, 2, 2, tokens, 1e4, 32768), (0, 1), rows=1000)
    sketch._taken, sketch._owed = FIRST_FIT, 10**6
    source = torch.Generator().manual_seed(0)

    def keys(layer: int, rows: Tensor) -> Tensor:
        assert len(rows) * tokens <= max(tokens, SAMPLED_AT_ONCE)
        return torch.randn(2, len(rows) * tokens, 2, generator=source)

    computed.append(0)
    while sketch.catch_up(keys, lambda: 300, RLock()):
        computed.append(0)
    assert sketch.ready and 0 < max(computed) <= 1.1 * PRODUCTS_AT_ONCE


def test_without_a_sketch_all_frames_are_ranked_by_their_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('livevlm_ros.memory.archive.sketch.FIRST_FIT', 10**6)
    watched = Watched(frames=RANKED_FRAMES + 20)
    choice = watched.choose(watched.stream.question())
    assert choice.ranked == 2 * (RANKED_FRAMES + 20)
    watched.archive.close()


def test_what_was_never_seen_before_is_found_though_the_sketch_is_older(watched: Watched) -> None:
    """A new scene lies far from the centroids, and its frames would all score alike."""
    other = Watched(frames=0)
    other.archive.restore(watched.archive.state())
    other.keys = dict(watched.keys)
    used = other.archive.state().part('sketch').tensors['used'].clone()
    place = torch.randn(other.stream.scenes[0].shape, generator=torch.Generator().manual_seed(9))
    for number in range(FRAMES, FRAMES + 30):
        scene = other.stream.scenes[number % SCENES] if number % 3 else 2.5 * place
        other.keys[number] = scene.half().float()
        other.archive.put(
            Tokens(
                other.keys[number],
                -other.keys[number],
                other.ids.of_frame(FrameRef('front', number)),
            )
        )
    sketch = other.archive.state().part('sketch').tensors
    assert bool((sketch['used'] > used).all())
    far = torch.cdist(2.5 * place, sketch['centroids']).amin(-1)
    assert float(far.median()) < 0.1
    other.archive.close()


@pytest.mark.parametrize('room', [2 * FRAMES, 300])
def test_a_restored_sketch_gives_the_same_scores_bit_for_bit(room: int) -> None:
    watched = Watched(frames=700, room=room)
    held = len(watched.archive)
    other = Watched(frames=3)
    other.archive.restore(watched.archive.state())
    for _ in range(5):
        queries = watched.stream.question()
        rows = {layer: q.unflatten(0, (2, 2)).flatten(1, 2) for layer, q in queries.items()}
        mine, theirs = (each.archive.sketch.frame_scores(rows, held) for each in (watched, other))
        assert torch.equal(mine, theirs)
        other.ids.start(0)
        ids = [each.choose(queries).tokens.ids for each in (watched, other)]
        assert torch.equal(*ids)
    for each in (watched, other):
        each.archive.close()


def test_a_sketch_of_other_layers_is_refused(watched: Watched) -> None:
    state = watched.archive.sketch.state(FRAMES, RLock())
    KeySketch(SMALL, (0, 1), rows=9).check(state)
    for layers in ((0,), (1,), (1, 0)):
        with pytest.raises(ValueError, match='retrieval.heads of memory.yaml, has changed'):
            KeySketch(SMALL, layers, rows=9).check(state)
    with pytest.raises(ValueError, match='got None'):
        KeySketch(SMALL, (0, 1), rows=9).check(State())


def test_a_layer_that_does_not_choose_and_a_head_that_does_not_have_no_say(
    watched: Watched,
) -> None:
    sketch, queries = watched.archive.sketch, watched.stream.question()
    rows = {layer: q.unflatten(0, (2, 2)).flatten(1, 2) for layer, q in queries.items()}
    alone = sketch.frame_scores({1: rows[1]}, FRAMES)
    both = sketch.frame_scores(rows, FRAMES)
    torch.testing.assert_close(both - sketch.frame_scores({0: rows[0]}, FRAMES), alone)
    one = rows[1].clone()
    one[0] = torch.nan
    other = rows[1].clone()
    other[1] = torch.nan
    scores = [sketch.frame_scores({1: part}, FRAMES) for part in (one, other)]
    assert torch.equal(torch.maximum(*scores), alone)


def test_frames_score_as_every_key_by_every_centroid_does(watched: Watched) -> None:
    book = watched.archive.sketch._now
    assert book.used < CENTROIDS
    for _ in range(10):
        queries, plain = watched.stream.question(), torch.zeros(FRAMES)
        rows = {layer: q.unflatten(0, (2, 2)).flatten(1, 2) for layer, q in queries.items()}
        for layer, row in rows.items():
            logs = book.counts[layer].log()[:, None]
            logits = row @ book.centroids[layer].transpose(1, 2) + logs
            shares = (logits.log_softmax(2) - logs).amax(1).exp().nan_to_num(0.0)
            of_keys = shares.gather(1, book.codes[layer, :, :, :FRAMES].flatten(1).long())
            plain += of_keys.view(-1, FRAMES).amax(0)
        scores = watched.archive.sketch.frame_scores(rows, FRAMES)
        torch.testing.assert_close(scores, plain)
        named = (each.topk(RANKED_FRAMES).indices.sort().values for each in (scores, plain))
        assert torch.equal(*named)


def test_the_bytes_said_are_those_of_a_frames_codes_now_and_of_the_next(watched: Watched) -> None:
    codes = watched.archive.sketch.state(7, RLock()).rows['codes'].whole()
    assert 2 * codes.nbytes == 7 * codes_bytes(SMALL, 2)
    assert codes.dtype == torch.int16
