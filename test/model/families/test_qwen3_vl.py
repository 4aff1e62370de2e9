# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Qwen3-VL: its frames and positions, and what its files may not say."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from livevlm_ros.memory import FrameRef
from livevlm_ros.model import CheckpointError, ModelConfig, load_model
from livevlm_ros.model.families import open_family
from livevlm_ros.model.shapes import qwen3_vl as shape_of_qwen3_vl

QUESTION = 'what color was the car'
TOLERANCE = 1e-4
FULL = shape_of_qwen3_vl.SIZE
ROPE = {
    'rope_type': 'default',
    'rope_theta': 1e6,
    'mrope_section': [4, 2, 2],
    'mrope_interleaved': True,
}


@pytest.fixture
def checkpoint(qwen3_vl: Any) -> Path:
    folder: Path = qwen3_vl.folder
    return folder


def test_frames_of_more_tokens_have_parity_at_their_size(
    qwen3_vl: Any, images: Callable, watch: Callable, ask: Callable
) -> None:
    model = load_model(ModelConfig(str(qwen3_vl.folder), image_tokens=24))
    assert model.shape.tokens_per_frame - model.shape.text_tokens == 4 * 6
    frames = images(8, height=128, width=192)
    expected = qwen3_vl.reference(qwen3_vl.folder).logits(frames)
    logits, _ = ask(model, watch(model, frames, [1, 3, 4], preset='full'), QUESTION)
    assert (logits - expected).abs().max() < TOLERANCE


def test_positions_are_those_of_get_rope_index(qwen3_vl: Any) -> None:
    reference = qwen3_vl.reference(qwen3_vl.folder)
    inputs = reference.inputs(qwen3_vl.frames[:3])
    theirs, _ = reference.hf.model.get_rope_index(
        inputs['input_ids'], inputs['mm_token_type_ids'], video_grid_thw=inputs['video_grid_thw']
    )
    family = open_family(qwen3_vl.folder)
    shape, prefix = family.shape(), len(family.ids('<|im_start|>user\n'))
    assert shape.positions is not None
    frames = 3 * shape.tokens_per_frame
    ours = shape.positions.of_frames(frames, first=prefix, device=torch.device('cpu'))
    assert torch.equal(ours, theirs[:, 0, prefix : prefix + frames])
    assert theirs[0, 0, prefix + frames] == prefix + frames - 3 * shape.positions.saved


def test_a_frame_is_its_time_its_image_and_what_is_added_to_the_first_layers(
    checkpoint: Path, images: Callable
) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    frames = model.encode_frames(images(2), [5.0, 65.97])
    assert frames.shape == (2, model.shape.tokens_per_frame, 3 * 48)
    assert model._family.form.embedding_width == 3 * 48
    assert model.shape.tokens_per_frame - model.shape.text_tokens == 2 * 3
    before = len(model._family.frame_text(0.0).before)
    assert model.image == slice(before, before + 2 * 3)
    assert not frames[:, :before, 48:].any() and not frames[:, -1:, 48:].any()
    assert frames[:, before:-1, 48:].abs().amin(-1).all()
    said = [model._family.tokenizer.decode(model._family.frame_text(s).before) for s in (5, 65.97)]
    assert said == [f'<000{time} seconds><|vision_start|>' for time in ('05.0', '65.9')]


def test_a_frame_of_which_a_part_is_read_has_its_header_and_all_of_its_image(
    qwen3_vl: Any, watch: Callable
) -> None:
    model, frames = load_model(ModelConfig(str(qwen3_vl.folder))), qwen3_vl.frames
    twin, memory = (
        watch(model, frames[:2], [1, 1], preset='recent', short_term_frames=4) for _ in range(2)
    )
    before = memory._tiers.short_term.tokens([1])
    read = torch.ones(1, model.shape.tokens_per_frame, dtype=torch.bool)
    read[0, model.image] = torch.arange(6) == 3
    tokens, written = model.encode_frames(frames[2:3], [2.0]), []
    for each, changed in ((twin, torch.ones_like(read)), (memory, read)):
        view = each.step([FrameRef('front', 2)], changed)
        model.read(tokens[changed], view)
        written.append(view.commit())
    whole, part = written
    torch.testing.assert_close(part.keys[0][:, read[0]], whole.keys[0][:, read[0]])
    assert torch.equal(part.keys[:, :, ~read[0]], before.keys[:, :, ~read[0]])
    prompt = model.question(QUESTION)
    asked = memory.question(extra_tokens=prompt.tokens)
    assert torch.isfinite(model.logits(model.read(prompt.embeds, asked))).all()
    _, counts = memory.ids.frames(asked.ids(0)).unique(return_counts=True)
    assert counts.tolist() == [model.shape.tokens_per_frame] * 3


def test_a_tower_by_its_old_name_is_known(checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / 'old'))
    config = json.loads((folder / 'config.json').read_text())
    config['vision_config']['model_type'] = 'qwen3_vl'  # as in the hub's first checkpoints
    (folder / 'config.json').write_text(json.dumps(config))
    assert open_family(folder).form.image_tokens == 2 * 3


@pytest.mark.parametrize(
    ('part', 'changes', 'said'),
    [
        ('text_config', {'rope_parameters': {**ROPE, 'mrope_section': [4, 2, 1]}}, 'add up to 8'),
        ('text_config', {'rope_parameters': {**ROPE, 'mrope_section': None}}, 'section = None'),
        ('vision_config', {'patch_size': 14}, 'patch_size = 14.*expected patches that divide'),
        ('vision_config', {'temporal_patch_size': 1}, 'temporal_patch_size = 1.*2 frames in one'),
    ],
)
def test_what_config_json_says_is_refused_in_a_line(
    checkpoint: Path, tmp_path: Path, part: str, changes: dict, said: str
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / 'bad'))
    config = json.loads((folder / 'config.json').read_text())
    config[part] = {**config[part], **changes}
    (folder / 'config.json').write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=said) as refused:
        open_family(folder).shape()
    assert '\n' not in str(refused.value)


@pytest.mark.slow
@pytest.mark.timeout(900)  # gigabytes are written and read
def test_the_two_billion_configuration_has_parity(
    qwen3_vl: Any,
    tmp_path: Path,
    images: Callable,
    watch: Callable,
    ask: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Build Qwen3-VL-2B-Instruct's configuration at random, with 3 of 24 and 4 of 28 layers."""
    vision = {
        'hidden_size': 1024,
        'intermediate_size': 4096,
        'depth': 3,
        'num_heads': 16,
        'num_position_embeddings': 2304,
        'out_hidden_size': 2048,
        'deepstack_visual_indexes': [0, 1, 2],
    }
    text = {
        'hidden_size': 2048,
        'intermediate_size': 6144,
        'num_hidden_layers': 4,
        'num_attention_heads': 16,
        'num_key_value_heads': 8,
        'head_dim': 128,
        'vocab_size': 151936,
        'max_position_embeddings': 262144,
        'rope_parameters': {**ROPE, 'rope_theta': 5e6, 'mrope_section': [24, 20, 20]},
    }
    monkeypatch.setattr(shape_of_qwen3_vl, 'SIZE', FULL)
    height, width = FULL
    frames = images(8, height=height, width=width)
    qwen3_vl.save(tmp_path, vision, text, dtype=torch.float16)
    expected = qwen3_vl.reference(tmp_path).logits(frames)
    model = load_model(ModelConfig(str(tmp_path)))
    assert model.shape.tokens_per_frame - model.shape.text_tokens == 12 * 16
    logits, view = ask(model, watch(model, frames, [1] * 8, preset='full'), QUESTION)
    assert torch.isfinite(logits).all()
    assert (logits - expected).abs().max() < TOLERANCE
    assert sum(share for _, share in view.evidence()) == pytest.approx(1.0, abs=1e-6)
