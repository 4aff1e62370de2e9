# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from livevlm_ros.engine.static_tokens import BINS, PARTED, StaticTokens, otsu
from livevlm_ros.memory import FrameRef

PLACES, WIDTH = 49, 64
HEADER = 3
IMAGE = slice(HEADER, HEADER + PLACES)
OBJECT = slice(10, 16)


class Camera:
    """Embeddings of what a camera sees: a place's token, what is alike in all, noise, light."""

    def __init__(self, seed: int = 0, *, noise: float = 0.1, flicker: float = 0.0) -> None:
        self._source = torch.Generator().manual_seed(seed)
        self.common = 1.5 * self.draw(1)
        self.scene = self.draw(PLACES)
        self.noise, self.flicker = noise, flicker

    def draw(self, count: int) -> Tensor:
        return normalize(torch.randn(count, WIDTH, generator=self._source), dim=-1)

    def look(self) -> Tensor:
        """Film what is there now, [places, width]."""
        light = 1 + self.flicker * (2 * torch.rand((), generator=self._source) - 1)
        tinted = self.scene + self.flicker * self.draw(1)  # all places, one way
        return light * (self.common + tinted) + self.noise * self.draw(PLACES)


class Stream:
    """Shows a camera's frames as the engine does."""

    def __init__(
        self,
        *,
        image: slice = slice(0, PLACES),
        whole: bool = False,
        heartbeat_s: float = 3600.0,
    ) -> None:
        self.static = StaticTokens(image, whole=whole, heartbeat_s=heartbeat_s)
        self.second = 0

    def show(self, tokens: Tensor, camera: str = 'front') -> Tensor:
        """Return which tokens were read, bool [tokens_per_frame]."""
        self.second += 1
        ref = FrameRef(camera, self.second * 10**9)
        changed = self.static.changed([ref], tokens[None])
        if changed.any():
            self.static.keep(self.static.read([ref], tokens[None], changed))
        return changed[0]


@pytest.mark.parametrize('flicker', [0.0, 0.2])
def test_of_two_thousand_frames_of_a_parked_camera_one_is_kept(flicker: float) -> None:
    camera, stream = Camera(flicker=flicker), Stream()
    kept = [stream.show(camera.look()) for _ in range(2000)]
    assert kept[0].all()
    assert not torch.stack(kept[1:]).any()
    assert stream.static.counts.share_read == 1 / 2000


@pytest.mark.parametrize('flicker', [0.0, 0.2])
def test_what_moves_is_read_and_what_stands_behind_it_is_not(flicker: float) -> None:
    camera, stream = Camera(flicker=flicker), Stream()
    still = [camera.look() for _ in range(20)]
    for tokens in still:
        stream.show(tokens)
    for _ in range(200):
        camera.scene[OBJECT] = camera.draw(OBJECT.stop - OBJECT.start)
        read = stream.show(camera.look())
        assert read[OBJECT].all()
        assert read.sum() == OBJECT.stop - OBJECT.start


def test_a_thing_that_comes_and_goes_is_read_when_it_comes_and_when_it_goes() -> None:
    camera, stream = Camera(), Stream()
    empty = camera.scene.clone()
    for _ in range(20):
        stream.show(camera.look())
    camera.scene[OBJECT] = camera.draw(6)
    assert stream.show(camera.look())[OBJECT].all()
    assert not stream.show(camera.look()).any()
    camera.scene = empty
    read = stream.show(camera.look())
    assert read[OBJECT].all() and read.sum() == 6


def test_a_frame_may_be_read_whole_for_the_smallest_new_thing_in_it() -> None:
    camera, stream = Camera(), Stream(whole=True)
    for _ in range(20):
        stream.show(camera.look())
    camera.scene[OBJECT.start] = camera.draw(1)[0]
    assert stream.show(camera.look()).all()
    assert not stream.show(camera.look()).any()


def test_a_camera_that_moves_is_read_whole() -> None:
    camera, stream = Camera(), Stream()
    for _ in range(300):
        camera.scene = camera.draw(PLACES)
        assert stream.show(camera.look()).all()


def test_a_slow_change_adds_up_until_it_counts() -> None:
    camera, stream = Camera(noise=0.02), Stream()
    for _ in range(20):
        stream.show(camera.look())
    other = camera.draw(6)
    start = camera.scene[OBJECT].clone()
    read = []
    for step in range(100):
        camera.scene[OBJECT] = start + step / 100 * (other - start)
        read.append(stream.show(camera.look()))
    times = torch.stack(read).sum(0)
    assert bool((times[OBJECT] >= 1).all()) and int(times[OBJECT].max()) < 10
    assert int(times.sum()) == int(times[OBJECT].sum())


def test_the_text_around_an_image_is_read_with_any_part_of_it_and_never_alone() -> None:
    camera, stream = Camera(), Stream(image=IMAGE)
    for second in range(2000):
        if second % 7 == 6:
            camera.scene[OBJECT] = camera.draw(6)
        header = torch.full((HEADER, WIDTH), float(second))
        read = stream.show(torch.cat((header, camera.look(), header)))
        text = torch.cat((read[:HEADER], read[IMAGE.stop :]))
        assert bool(text.all()) == bool(read[IMAGE].any()) == bool(text.any())
        assert bool(read.any()) == (second == 0 or second % 7 == 6)


def test_a_frame_is_read_whole_at_the_heartbeat_and_after_a_clear() -> None:
    camera, stream = Camera(), Stream(heartbeat_s=5.0)
    read = [stream.show(camera.look()) for _ in range(16)]
    assert [bool(frame.all()) for frame in read] == [second % 5 == 0 for second in range(16)]
    assert not any(frame.any() for second, frame in enumerate(read) if second % 5)
    stream.show(camera.look())
    stream.static.clear()
    assert stream.show(camera.look()).all()


def test_what_came_before_a_clear_decides_nothing_after_it() -> None:
    camera, fresh, stream = Camera(), Stream(), Stream()
    for _ in range(50):
        moving = Camera(9)
        moving.scene = camera.draw(PLACES)
        stream.show(moving.look())
    stream.static.clear()
    for number in range(50):
        camera.scene[OBJECT] = camera.draw(6) if number % 3 else camera.scene[OBJECT]
        tokens = camera.look()
        assert torch.equal(stream.show(tokens), fresh.show(tokens))


def test_each_camera_is_compared_with_itself() -> None:
    left, right, stream = Camera(1), Camera(2), Stream()
    assert stream.show(left.look(), 'left').all()
    assert stream.show(right.look(), 'right').all()
    assert not stream.show(left.look(), 'left').any()
    assert not stream.show(right.look(), 'right').any()


def test_a_frame_that_did_not_reach_the_memory_is_no_measure() -> None:
    camera, stream = Camera(), Stream()
    stream.show(camera.look())
    camera.scene = camera.draw(PLACES)
    ref = FrameRef('front', 5 * 10**9)
    for _ in range(2):
        assert stream.static.changed([ref], camera.look()[None]).all()  # and the step failed


def test_a_frame_out_of_order_is_left_to_the_memory_to_refuse() -> None:
    camera, static = Camera(), StaticTokens(slice(0, PLACES), whole=False, heartbeat_s=5.0)
    first = FrameRef('front', 10**9)
    changed = static.changed([first], camera.look()[None])
    static.keep(static.read([first], camera.look()[None], changed))
    assert static.changed([FrameRef('front', 10**9)], camera.look()[None]).all()


def _counts(*heaps: tuple[float, float, int]) -> Tensor:
    """Count similarities in heaps, each by its middle, its spread and how many they are."""
    source = torch.Generator().manual_seed(1)
    drawn = [middle + spread * torch.randn(n, generator=source) for middle, spread, n in heaps]
    return torch.histc(torch.cat(drawn), BINS, 0.0, 1.0).double()


def test_the_cut_lies_in_the_middle_between_two_kinds() -> None:
    threshold, parted = otsu(_counts((0.2, 0.05, 1000), (0.8, 0.02, 1000)))
    assert 0.4 < threshold < 0.7
    assert parted > 0.95


@pytest.mark.parametrize('spread', [0.02, 0.05, 0.15])
def test_one_kind_is_not_parted(spread: float) -> None:
    assert otsu(_counts((0.5, spread, 5000)))[1] < PARTED


def test_an_even_spread_is_not_parted() -> None:
    assert otsu(torch.ones(BINS, dtype=torch.float64))[1] == pytest.approx(0.75, abs=0.001)


def test_counts_of_one_value_part_nothing() -> None:
    counts = torch.zeros(BINS, dtype=torch.float64)
    counts[100] = 9
    assert otsu(counts)[1] == pytest.approx(0.0)
