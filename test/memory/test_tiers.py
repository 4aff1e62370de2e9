# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from livevlm_ros.memory import AUTO, CacheShape, Memory, MemoryConfig, RetrievalSettings
from livevlm_ros.memory.config import FULL_FIRST_FRAMES
from livevlm_ros.memory.tiers import Tiers, new_tiers

CAMERAS = ('left', 'right')


def _tiers(shape: CacheShape, **settings) -> Tiers:
    config = MemoryConfig(**settings)
    return new_tiers(config, shape, CAMERAS, RetrievalSettings(2), torch.empty(0))


@pytest.mark.parametrize(
    ('preset', 'long_term', 'archive', 'sketched', 'by_means'),
    [
        ('recent', 0, False, False, False),
        ('full', 0, False, False, False),
        ('rekv', 0, True, False, True),
        ('livevlm', 2, False, False, False),
        ('balanced', 2, True, True, False),
    ],
)
def test_a_preset_builds_the_tiers_it_asks_for_empty(
    shape: CacheShape, preset, long_term, archive, sketched, by_means
) -> None:
    tiers = _tiers(shape, preset=preset)
    assert len(tiers.long_term) == long_term
    assert (tiers.archive is not None) == archive
    assert (tiers.archive is not None and tiers.archive.sketch is not None) == sketched
    assert (tiers.archive is not None and tiers.archive.means is not None) == by_means
    assert (tiers.prefix_tokens, len(tiers.short_term), tiers.refs) == (0, 0, {})


def test_cameras_share_the_budgets_equally(shape: CacheShape) -> None:
    tiers = _tiers(shape, preset='livevlm', short_term_frames=9, long_term_frames=16)
    frame = shape.tokens_per_frame
    assert tiers.short_term.nbytes == 8 * frame * shape.token_bytes(4)  # a whole number each
    assert [lane.capacity for lane in tiers.long_term] == [8 * frame + frame] * 2


def test_full_has_room_for_few_frames_at_first(shape: CacheShape) -> None:
    room = _tiers(shape, preset='full').short_term.nbytes
    assert room == FULL_FIRST_FRAMES * shape.tokens_per_frame * shape.token_bytes(4)


def test_an_archive_of_no_given_size_takes_a_share_of_what_is_free(
    small: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('livevlm_ros.memory.archive.room.free_ram', lambda: 2**20)
    sized = {'archive_host_bytes': 2**18}
    assert (
        small('balanced', archive_host_bytes=AUTO).sizes().room
        == small('balanced', **sized).sizes().room
    )
    on_disk = {'archive_disk_bytes': AUTO, 'path': str(tmp_path)}
    archive = small('balanced', archive_host_bytes=AUTO, **on_disk).sizes().room.archive
    assert archive is not None and archive.host_bytes <= 2**18
    only_ram = small('balanced', **sized).sizes().room.archive
    assert only_ram is not None  # half of the RAM still holds records
    assert archive.host_frames == pytest.approx(only_ram.host_frames / 2, abs=1)
    assert archive.disk_frames > archive.host_frames


@pytest.mark.parametrize('preset', ['rekv', 'balanced'])
def test_room_that_is_not_used_changes_no_answer(
    small: Callable, watch: Callable, ask: Callable, preset: str
) -> None:
    answers = []
    for host_bytes in (300_000, 2**21):
        memory = small(preset, 'front', archive_host_bytes=host_bytes)
        watch(memory, range(300))  # more than are ranked by their keys
        assert memory.sizes().archive_tokens == 296 * 4
        answers.append(ask(memory)[0])
    assert torch.equal(*answers)


def test_a_full_archive_of_no_given_size_is_restored_when_less_is_free(
    small: Callable, watch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 'livevlm_ros.memory.archive.room.free_ram'
    monkeypatch.setattr(free, lambda: 2**16)
    memory = small('balanced', 'front', archive_host_bytes=AUTO)
    watch(memory, range(60))
    archived = memory.sizes().archive_tokens
    monkeypatch.setattr(free, lambda: 2**16 - 2**12)
    later = small('balanced', 'front', archive_host_bytes=AUTO)
    assert later.sizes().room.archive.host_frames * 4 < archived
    later.restore(memory.state())
    assert later.sizes().archive_tokens == archived
    assert later.sizes().room.archive.host_frames * 4 == archived


@pytest.mark.parametrize(
    ('settings', 'cameras', 'said'),
    [
        ({'short_term_frames': 1}, ('left', 'right'), 'less than one frame for each of 2'),
        ({'short_term_frames': 400}, ('front',), '1024 positions'),
        ({'preset': 'full', 'full_max_tokens': 3}, ('front',), 'less than one frame'),
        ({}, (), 'at least one camera'),
        (
            {'preset': 'livevlm', 'long_term_frames': 240},
            ('front',),
            'need 1056 tokens for a step and 160 for a question, the model has 2048 positions',
        ),
        ({'preset': 'rekv', 'short_term_frames': 200}, ('front',), '1056 for a question'),
        ({'preset': 'rekv', 'archive_host_bytes': 99}, ('front',), 'must be at least .*, got 99'),
    ],
)
def test_a_budget_that_does_not_fit_cameras_or_positions_is_refused(
    shape: CacheShape, settings: dict, cameras: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Memory(MemoryConfig(**settings), shape, cameras)
