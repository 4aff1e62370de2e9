# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable, Sequence

import pytest
import torch

from livevlm_ros.memory import CacheShape, FrameRef
from livevlm_ros.memory.short_term import OutOfOrder, ShortTerm
from livevlm_ros.memory.tokens import TokenIds

CAMERAS = ('left', 'right')
FRAME = 4  # tokens


class Ring:
    """Short-term that is fed frames, and what it was fed."""

    def __init__(self, shape: CacheShape, *, lane_frames: int = 3, slots: int = 6) -> None:
        ids = TokenIds(CAMERAS, FRAME)
        ids.start(0)
        where = {'device': torch.device('cpu'), 'dtype': torch.float32}
        self.ring = ShortTerm(shape, CAMERAS, ids, lane_frames=lane_frames, slots=slots, **where)
        self.ids, self._shape = ids, shape
        self.seen: dict[FrameRef, torch.Tensor] = {}

    def made(self, refs: Sequence[FrameRef]) -> torch.Tensor:
        """Keys of frames, [layers, kv_heads, frames, tokens, head_dim]."""
        parts = []
        for ref in refs:
            source = torch.Generator().manual_seed(ref.stamp_ns * 2 + CAMERAS.index(ref.camera))
            size = (self._shape.layers, self._shape.kv_heads, FRAME, self._shape.head_dim)
            parts.append(torch.randn(size, generator=source))
        return torch.stack(parts, dim=2)

    def add(self, *refs: FrameRef):
        self.ring.check(refs)
        change, keys = self.ring.stage(refs), self.made(refs)
        self.ring.commit(change, keys, -keys)
        return change

    def check_whole(self) -> None:
        """Check that every frame held has its tokens, in order."""
        refs, tokens = self.ring.refs(), self.ring.tokens()
        assert refs == sorted(refs, key=lambda ref: (ref.stamp_ns, ref.camera))
        keys = self.made(refs).flatten(2, 3)
        assert torch.equal(tokens.keys, keys) and torch.equal(tokens.values, -keys)
        assert torch.equal(tokens.ids, torch.cat([self.ids.of_frame(ref) for ref in refs]))
        for layer in range(self._shape.layers):
            of_layer, values = self.ring.layer(layer, self.ring.slots())
            assert torch.equal(of_layer, keys[layer]) and torch.equal(values, -keys[layer])


@pytest.fixture
def ring(shape: CacheShape) -> Ring:
    return Ring(shape)


def left(*stamps: int) -> list[FrameRef]:
    return [FrameRef('left', stamp) for stamp in stamps]


def right(*stamps: int) -> list[FrameRef]:
    return [FrameRef('right', stamp) for stamp in stamps]


def test_the_oldest_frame_of_a_full_lane_leaves_and_no_other(ring: Ring) -> None:
    ring.add(*right(1))
    for stamp in range(2, 9):
        ring.add(*left(stamp))
        ring.check_whole()
    assert ring.ring.refs() == [*right(1), *left(6, 7, 8)]
    assert (ring.ring.kept, ring.ring.evictions, len(ring.ring)) == (8, 4, 4)


def test_lanes_share_the_storage_equally(shape: CacheShape, make: Callable, see: Callable) -> None:
    memory = make('a', 'b', 'c', short_term_frames=16)
    for stamp in range(20):
        see(memory, FrameRef('a', stamp), FrameRef('b', stamp), FrameRef('c', stamp))
    cameras = [ref.camera for ref in memory.refs()]
    assert [cameras.count(camera) for camera in 'abc'] == [5, 5, 5]


def test_what_leaves_is_told_oldest_first_each_with_its_lanes_next_stamp(ring: Ring) -> None:
    ring.add(*left(0, 10), *right(15, 20), *left(30))
    ring.add(*right(35))
    change = ring.add(*right(40), *left(41), *right(42), *left(43))
    told = [(held.ref, next_ns) for held, next_ns in change.left]
    assert told == [(*left(0), 10), (*left(10), 30), (*right(15), 20), (*right(20), 35)]
    assert ring.ring.refs() == [*left(30), *right(35, 40), *left(41), *right(42), *left(43)]
    ring.check_whole()


def test_a_lane_may_change_whole_in_one_step(ring: Ring) -> None:
    ring.add(*left(0, 1, 2))
    change = ring.add(*left(3, 4, 5))
    assert [next_ns for _, next_ns in change.left] == [1, 2, 3]
    ring.check_whole()


def test_who_will_leave_can_be_asked_before(ring: Ring) -> None:
    ring.add(*left(0, 1), *right(1), *left(2))
    leaving = [held.ref for held in ring.ring.leaving([*left(3), *right(3), *left(4)])]
    assert leaving == left(0, 1)


def test_staging_writes_nothing(ring: Ring) -> None:
    ring.add(*left(0, 1), *right(1), *left(2))
    before, change = ring.ring.state(), ring.ring.stage([*left(3), *right(3)])
    after = ring.ring.state()
    assert before.facts == after.facts
    assert all(torch.equal(part, after.tensors[name]) for name, part in before.tensors.items())
    ring.check_whole()
    (gone, _) = change.left[0]
    assert torch.equal(ring.ring.tokens_of(gone).keys, ring.made(left(0))[:, :, 0])


def test_storage_grows_only_when_a_step_is_committed_and_keeps_what_is_in_it(
    shape: CacheShape,
) -> None:
    ring = Ring(shape, lane_frames=40, slots=2)
    sizes = [ring.ring.nbytes]
    for stamp in range(50):
        refs = [*left(stamp), *right(stamp)]
        ring.ring.stage(refs)
        assert ring.ring.nbytes == sizes[-1]
        ring.add(*refs)
        ring.check_whole()
        sizes.append(ring.ring.nbytes)
    assert sizes == sorted(sizes) and len(set(sizes)) < 12  # few copies
    assert sizes[-1] == 80 * FRAME * shape.token_bytes(4)


def test_storage_that_does_not_grow_stays_in_its_place(ring: Ring) -> None:
    places = set()
    for stamp in range(30):
        change = ring.add(*left(stamp), *right(stamp))
        assert change.storage is None
        held = change.held[0]
        start = ring.ring.tokens_of(held)
        places.add(start.keys.untyped_storage().data_ptr())
    assert len(places) == 1


def test_chosen_frames_are_read_in_the_order_given(ring: Ring) -> None:
    ring.add(*left(0, 1), *right(1), *left(2))
    tokens = ring.ring.tokens([3, 0])
    assert torch.equal(tokens.keys, ring.made(left(2, 0)).flatten(2, 3))
    assert len(ring.ring.tokens([])) == 0


@pytest.mark.parametrize(
    ('refs', 'said'),
    [
        ([FrameRef('rear', 10)], "camera 'rear' has no lane.*left"),
        (left(5), 'stamp 5 must come after 5'),
        (left(10, 10), 'stamp 10 must come after 10'),
        ([*right(12), *left(11)], 'stamp order'),
        (left(*range(10, 14)), 'a step brings 4 frames of one camera, its lane holds 3'),
    ],
)
def test_frames_that_cannot_be_kept_are_refused(ring: Ring, refs, said: str) -> None:
    ring.add(*left(5))
    with pytest.raises(ValueError, match=said):
        ring.ring.check(refs)


def test_frames_that_were_held_are_held_again_and_leave_in_their_turn(shape: CacheShape) -> None:
    ring, restored = Ring(shape), Ring(shape, slots=2)  # whose storage has to grow
    for stamp in range(20):
        ring.add(FrameRef('left', stamp, 'optical', f'left/{stamp}'))
        if stamp % 7 == 0:
            ring.add(*right(stamp))
    restored.add(*right(99))
    restored.ring.restore(ring.ring.state())
    assert (restored.ring.kept, restored.ring.evictions) == (ring.ring.kept, ring.ring.evictions)
    with pytest.raises(ValueError, match='stamp 14 must come after 14'):
        restored.ring.check(right(14))
    for stamp in range(20, 40):
        assert restored.ring.refs() == ring.ring.refs()
        restored.check_whole()
        for either in (ring, restored):
            either.add(*left(stamp))


def test_clearing_forgets_frames_and_stamps_and_keeps_the_storage(ring: Ring) -> None:
    ring.add(*left(5, 6), *right(7))
    nbytes = ring.ring.nbytes
    ring.ring.clear()
    assert (len(ring.ring), ring.ring.kept, ring.ring.evictions) == (0, 0, 0)
    ring.add(*left(1))
    ring.check_whole()
    assert ring.ring.nbytes == nbytes


def test_forgotten_frames_give_their_slots_and_stamps_go_on(shape: CacheShape) -> None:
    ring = Ring(shape)
    refs = [FrameRef(camera, stamp) for stamp in (1, 2, 3) for camera in CAMERAS]
    ring.add(*refs)
    left = frozenset(ref for ref in refs if ref.camera == 'left')
    assert ring.ring.forget(left) == 3 and ring.ring.forget(left) == 0
    assert ring.ring.refs() == [ref for ref in refs if ref.camera == 'right']
    ring.check_whole()
    with pytest.raises(OutOfOrder, match='must come after 3') as error:
        ring.add(FrameRef('left', 3))
    assert error.value.ref == FrameRef('left', 3)
    for stamp in (4, 5, 6, 7):
        ring.add(*(FrameRef(camera, stamp) for camera in CAMERAS))
        ring.check_whole()
