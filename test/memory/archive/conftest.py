# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Archives with room for so many frames, and frames whose tokens are drawn from their stamps."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import CacheShape, FrameRef
from livevlm_ros.memory.archive.archive import Archive
from livevlm_ros.memory.archive.costs import index_bytes
from livevlm_ros.memory.archive.record import RecordLayout
from livevlm_ros.memory.tokens import TokenIds, Tokens

CAMERAS = ('left', 'right')


@pytest.fixture
def ids(shape: CacheShape) -> TokenIds:
    ids = TokenIds(CAMERAS, shape.tokens_per_frame)
    ids.start(0)
    return ids


@pytest.fixture
def frame(ids: TokenIds, shape: CacheShape) -> Callable[..., Tokens]:
    """Make the tokens of a frame: random, channels of different widths."""

    def frame(stamp: int, camera: str = 'left') -> Tokens:
        source = torch.Generator().manual_seed(2 * stamp + CAMERAS.index(camera))
        size = (2, shape.layers, shape.kv_heads, shape.tokens_per_frame, shape.head_dim)
        keys, values = torch.randn(size, generator=source) * (torch.arange(shape.head_dim) + 1.0)
        return Tokens(keys, values, ids.of_frame(FrameRef(camera, stamp)))

    return frame


@pytest.fixture
def make_archive(
    ids: TokenIds, shape: CacheShape, tmp_path: Path
) -> Iterator[Callable[..., Archive]]:
    """Make an archive with room for so many frames in RAM and on disk."""
    made: list[Archive] = []

    def make_archive(
        *,
        host: int = 8,
        restored: int = 0,
        disk: int = 0,
        bits: int = 8,
        page_tokens: int = 2,
        sketched: tuple[int, ...] | None = (0, 1),
    ) -> Archive:
        layout = RecordLayout(shape, page_tokens, bits)
        beside = index_bytes(layout, sketched)
        archive = Archive(
            ids,
            layout,
            lanes=len(CAMERAS),
            sketched=sketched,
            host_bytes=host * (layout.record_bytes + beside) + disk * beside,
            restored_bytes=restored * (layout.record_bytes + beside) + disk * beside,
            disk_bytes=disk * layout.record_bytes,
            folder=tmp_path if disk else None,
        )
        made.append(archive)
        return archive

    yield make_archive
    for archive in made:
        archive.close()


@pytest.fixture
def stamps(ids: TokenIds) -> Callable[[Archive], list[int]]:
    """Return the stamps of the frames held of a camera, oldest first."""

    def stamps(archive: Archive, camera: str = 'left') -> list[int]:
        of_camera = archive.frames[ids.lanes(archive.frames) == ids.lane(camera)]
        return ids.since_ns(of_camera).sort().values.tolist()

    return stamps


@pytest.fixture
def read_all(shape: CacheShape) -> Callable[[Archive], Tokens]:
    """Read every page that is held, in an order as good as random."""

    def read_all(archive: Archive, *, layer: int | None = None, pages: int = 2) -> Tokens:
        order = torch.randperm(
            len(archive) * pages, generator=torch.Generator().manual_seed(len(archive))
        )
        return archive.read(
            archive.frames[order // pages], order % pages, like=torch.empty(0), layer=layer
        )

    return read_all


@pytest.fixture
def check_whole(frame: Callable, ids: TokenIds, read_all: Callable) -> Callable[..., None]:
    """Check that every frame has the tokens that went in, as exactly as bits allow."""

    def check_whole(archive: Archive, *, bits: int = 8, pages: int = 2) -> None:
        read = read_all(archive, pages=pages)
        assert len(read.ids.unique()) == len(read) == 4 * len(archive)
        order = read.ids.argsort()
        found = read.index_select(order)
        for index, number in enumerate(archive.frames.sort().values.tolist()):
            camera = CAMERAS[number & 1]
            made = frame(number >> 1, camera)
            span = found.narrow(4 * index, 4)
            assert torch.equal(span.ids, made.ids)
            for mine, theirs in ((span.keys, made.keys), (span.values, made.values)):
                assert ((mine - theirs).abs() <= half_step(theirs, bits)).all()

    return check_whole


def half_step(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Return how far a number may be off: half a step of its channel, but for rounding."""
    if bits == 16:
        return x.abs() * 2**-11 + 2**-24
    low, high = x.aminmax(dim=-2, keepdim=True)
    return (high - low) / (2**bits - 1) / 2 * 1.01 + x.abs().amax() * 2**-10 / (2**bits - 1)


@pytest.fixture
def put_all(frame: Callable) -> Callable[..., None]:
    def put_all(archive: Archive, stamps: Sequence[int], *cameras: str) -> None:
        for stamp in stamps:
            for camera in cameras or ('left',):
                archive.put(frame(stamp, camera))
                while archive.tend():
                    pass

    return put_all
