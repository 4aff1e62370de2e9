# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from livevlm_ros.model import load_model
from livevlm_ros.replay.image_bag import image_bag
from livevlm_ros.replay.memory_look import Look, look_at_memory
from livevlm_ros.replay.questions import QuestionEntry
from livevlm_ros.replay.settings import engine_config

LAYERS, TOKENS = 6, 9
ASKED_S = 27.5


@pytest.fixture(scope='module')
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record 32 frames, one a second, each as grey as it is late."""
    bag = tmp_path_factory.mktemp('grey') / 'bag'
    with image_bag(bag) as write:
        for second in range(32):
            write((1 + second) * 1_000_000_000, np.full((24, 32, 3), second, np.uint8))
    return bag


def look_into(
    stream: Path, checkpoint: Path, *, preset: str, long_term_frames: int, by: str = 'tokens'
) -> Look:
    given = (
        'memory.short_term_frames=3',
        f'memory.long_term_frames={long_term_frames}',
        'retrieval.frames=2',
        f'retrieval.by={by}',
    )
    config = engine_config(model=str(checkpoint), preset=preset, given=given)
    entry = QuestionEntry(at=ASKED_S, question='what do you see now ?')
    return look_at_memory(stream, entry, config, load=load_model)


@pytest.fixture(scope='module')
def seen(stream: Path, checkpoint: Path) -> Look:
    """Look into a memory of 3 frames and 16 frames' worth of tokens, two of them read."""
    return look_into(stream, checkpoint, preset='livevlm', long_term_frames=16)


def test_frames_that_came_after_the_question_are_not_seen(seen: Look) -> None:
    assert seen.seconds.tolist() == list(range(28))
    assert seen.edges.tolist() == list(range(29))


def test_short_term_has_the_newest_frames_whole(seen: Look) -> None:
    held = seen.tiers['short-term']
    assert held.shape == (28, TOKENS)
    assert held[-3:].all() and not held[:-3].any()


def test_long_term_has_its_budget_of_what_left_short_term(seen: Look) -> None:
    held = seen.tiers['long-term']
    # 25 frames have left short-term; there is room for 18, so bucketing came at 19, 22 and 25
    assert held.sum() == TOKENS * 16
    assert not (held & seen.tiers['short-term']).any()


@pytest.mark.parametrize('by', ['tokens', 'means'])
def test_a_question_reads_short_term_and_two_frames_of_the_rest(
    stream: Path, checkpoint: Path, by: str
) -> None:
    seen = look_into(stream, checkpoint, preset='livevlm', long_term_frames=16, by=by)
    assert seen.read.shape == (LAYERS, 28, TOKENS)
    assert not (seen.read & ~seen.held).any(), 'what is gone cannot be read'
    assert seen.read[:, -3:].all()
    older = (seen.read & seen.tiers['long-term']).sum(axis=(1, 2))
    assert older.tolist() == [2 * TOKENS] * LAYERS
    alike = (seen.read == seen.read[0]).all()
    assert alike == (by == 'tokens')


def test_an_archive_has_every_frame_that_left_short_term(stream: Path, checkpoint: Path) -> None:
    seen = look_into(stream, checkpoint, preset='balanced', long_term_frames=16)
    held = seen.tiers['archive']
    assert held[:-3].all() and not held[-3:].any()
    assert seen.tiers['long-term'].any() and not (seen.tiers['long-term'] & ~held).any()


def test_attention_is_a_share_of_what_was_read(seen: Look) -> None:
    assert seen.attention.sum() == pytest.approx(1.0)
    unread = ~seen.read.any(axis=(0, 2))
    assert unread.any() and not seen.attention[unread].any()


def test_images_are_of_their_frames(seen: Look) -> None:
    assert {25, 26, 27} <= set(seen.images)
    for frame, image in seen.images.items():
        assert image.mean() == pytest.approx(frame, abs=3), frame


def test_a_preset_without_long_term_has_no_such_tier(stream: Path, checkpoint: Path) -> None:
    seen = look_into(stream, checkpoint, preset='recent', long_term_frames=0)
    assert list(seen.tiers) == ['short-term']
    assert (seen.read == seen.held).all() and seen.read[:, -3:].all()


def test_a_frame_without_an_image_is_shown_by_the_nearest() -> None:
    pixel = np.zeros((1, 1, 3), np.uint8)
    nothing = np.zeros((3, 1), bool)
    seen = Look(np.arange(3.0), {'short-term': nothing}, nothing[None], np.zeros(3), {0: pixel})
    assert seen.nearest(2) == 0
