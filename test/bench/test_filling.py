# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
import torch

from livevlm_bench.filling import CLIP, filled
from livevlm_bench.language import Language


@pytest.mark.parametrize('preset', ['recent', 'livevlm', 'balanced', 'rekv'])
def test_a_memory_holds_what_its_preset_keeps_of_every_frame(
    language: Callable[..., Language], preset: str
) -> None:
    frames, frame = 9 * CLIP + 50, 18  # more than balanced's short-term and long-term
    memory = filled(language(), preset=preset, frames=frames)
    sizes = memory.sizes()
    memory.close()
    assert sizes.short_term_frames + sizes.evictions == frames
    assert sizes.short_term_tokens == 16 * frame
    left = (frames - 16) * frame
    held = {
        'recent': 0,
        'livevlm': sizes.long_term_tokens,
        'balanced': left,
        'rekv': left,
    }
    assert sizes.long_term_tokens + sizes.archive_tokens == held[preset]
    kept = {'livevlm': 61, 'balanced': 15}.get(preset, 0)
    assert (sizes.long_term_tokens >= kept * frame) and bool(sizes.long_term_tokens) == bool(kept)


@pytest.mark.parametrize('preset', ['balanced', 'rekv'])
@pytest.mark.parametrize('frames', [CLIP, 600])
def test_the_archive_has_room_for_every_frame(
    language: Callable[..., Language], preset: str, frames: int
) -> None:
    memory = filled(language(), preset=preset, frames=frames)
    sizes = memory.sizes()
    memory.close()
    assert sizes.long_term_tokens + sizes.archive_tokens == max(0, frames - 16) * 18


def test_keys_and_values_have_the_type_of_the_model(language: Callable[..., Language]) -> None:
    def device_bytes(dtype: torch.dtype) -> int:
        return filled(language(dtype), preset='recent', frames=16).sizes().device_bytes

    assert device_bytes(torch.bfloat16) < 0.6 * device_bytes(torch.float32)
