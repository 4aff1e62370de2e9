# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Qwen3-VL read as a stream says what transformers says of the whole video at once."""

import json
import shutil
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    PreTrainedTokenizerFast,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

from livevlm_ros.memory import FrameRef
from livevlm_ros.model import CheckpointError, ModelConfig, load_model
from livevlm_ros.model.families import open_family
from livevlm_ros.model.shapes import qwen3_vl

QUESTION = 'what color was the car'
TOLERANCE = 1e-4
MARKERS = ['<|im_start|>', '<|vision_start|>', '<|vision_end|>', '<|image_pad|>', '<|video_pad|>']
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% for content in message.content %}{% if content.type == 'video' %}"
    "{{ '<|vision_start|><|video_pad|><|vision_end|>' }}{% elif 'text' in content %}"
    "{{ content.text }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
VISION = {
    'hidden_size': 32,
    'intermediate_size': 64,
    'depth': 4,
    'num_heads': 4,
    'patch_size': 16,
    'num_position_embeddings': 64,
    'out_hidden_size': 48,
    'deepstack_visual_indexes': [0, 2],
}
ROPE = {
    'rope_type': 'default',
    'rope_theta': 1e6,
    'mrope_section': [4, 2, 2],
    'mrope_interleaved': True,
}
TEXT = {
    'hidden_size': 48,
    'intermediate_size': 80,
    'num_hidden_layers': 3,
    'num_attention_heads': 6,
    'num_key_value_heads': 2,
    'head_dim': 16,
    'max_position_embeddings': 8192,
    'rope_parameters': ROPE,
    'initializer_range': 0.15,
    'vocab_size': 320,
}
WIDE = {
    'hidden_size': 128,
    'intermediate_size': 192,
    'num_attention_heads': 8,
    'num_key_value_heads': 4,
}
SMALL, FULL = (64, 96), qwen3_vl.SIZE


def _frames(size: tuple[int, int]) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (8, *size, 3), dtype=np.uint8))


FRAMES = _frames(SMALL)


@pytest.fixture(autouse=True)
def size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let frames be small, of two rows and three columns."""
    monkeypatch.setattr(qwen3_vl, 'SIZE', SMALL)


def _save(folder: Path, vision: dict, text: dict, *, dtype: torch.dtype = torch.float32) -> Path:
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    pieces.train_from_iterator(['user assistant seconds>', QUESTION], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        eos_token='<|im_end|>',
        pad_token='<|endoftext|>',
        additional_special_tokens=MARKERS,
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    start, end, image, video = tokenizer.convert_tokens_to_ids(MARKERS[1:])
    torch.manual_seed(8)
    network = Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(
            vision_config=vision,
            text_config={**text, 'eos_token_id': tokenizer.eos_token_id},
            vision_start_token_id=start,
            vision_end_token_id=end,
            image_token_id=image,
            video_token_id=video,
        )
    )
    for name, parameter in network.named_parameters():  # biases and norms are far from trivial
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=float('norm' in name), std=0.2)
    network.to(dtype).save_pretrained(folder)
    settings = {
        'size': {'longest_edge': 25165824, 'shortest_edge': 4096},
        'resample': 3,
        'do_rescale': True,
        'rescale_factor': 1 / 255,
        'do_normalize': True,
        'image_mean': [0.5, 0.5, 0.5],
        'image_std': [0.5, 0.5, 0.5],
        'patch_size': 16,
        'temporal_patch_size': 2,
        'merge_size': 2,
    }
    (folder / 'video_preprocessor_config.json').write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp('qwen3_vl'), VISION, TEXT)


class Reference:
    """transformers' own model over a whole video, every frame paired with itself."""

    def __init__(self, folder: Path) -> None:
        self.hf = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self.hf.eval()
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)

    def inputs(self, images: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Ids of the chat about a frame a second, and patches as its processor cuts them."""
        pixels = torch.from_numpy((np.stack(images) / 255 - 0.5) / 0.5).permute(0, 3, 1, 2).float()
        pairs = pixels.repeat_interleave(2, dim=0)[None]
        patches, *grid = Qwen3VLVideoProcessor.patchify(None, pairs, 16, 2, 2)
        places = '<|video_pad|>' * (grid[1] * grid[2] // 4)
        video = ''.join(
            f'<0000{second}.0 seconds><|vision_start|>{places}<|vision_end|>'
            for second in range(len(images))
        )
        content = [{'type': 'video'}, {'type': 'text', 'text': QUESTION}]
        rendered = self.tokenizer.apply_chat_template(
            [{'role': 'user', 'content': content}], add_generation_prompt=True, tokenize=False
        )
        whole = rendered.replace('<|vision_start|><|video_pad|><|vision_end|>', video)
        ids = self.tokenizer(whole, add_special_tokens=False, return_tensors='pt').input_ids
        return {
            'input_ids': ids,
            'mm_token_type_ids': 2 * (ids == self.hf.config.video_token_id).int(),
            'pixel_values_videos': patches[0],
            'video_grid_thw': torch.tensor([grid]),
        }

    @torch.inference_mode()
    def logits(self, images: Sequence[np.ndarray]) -> Tensor:
        """Scores of the first answer token, [vocabulary]."""
        logits: Tensor = self.hf(**self.inputs(images)).logits[0, -1]
        return logits


@pytest.fixture(scope='module')
def expected(checkpoint: Path) -> Tensor:
    """Ask transformers about the eight frames."""
    return Reference(checkpoint).logits(FRAMES)


@pytest.mark.parametrize('preset', ['full', 'recent'])
@pytest.mark.parametrize('steps', [[1] * 8, [3, 1, 4], [8]])
def test_logits_equal_transformers_own(
    checkpoint: Path,
    expected: Tensor,
    preset: str,
    steps: list[int],
    watch: Callable,
    ask: Callable,
) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    logits, _ = ask(model, watch(model, FRAMES, steps, preset=preset), QUESTION)
    assert expected.std() > 0.1  # the checkpoint says something
    assert (logits - expected).abs().max() < TOLERANCE


def test_frames_of_more_tokens_have_parity_at_their_size(
    checkpoint: Path, watch: Callable, ask: Callable
) -> None:
    model, frames = load_model(ModelConfig(str(checkpoint), image_tokens=24)), _frames((128, 192))
    assert model.shape.tokens_per_frame - model.shape.text_tokens == 4 * 6
    expected = Reference(checkpoint).logits(frames)
    logits, _ = ask(model, watch(model, frames, [1, 3, 4], preset='full'), QUESTION)
    assert (logits - expected).abs().max() < TOLERANCE


def test_greedy_answers_equal_generate(checkpoint: Path, watch: Callable) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    memory = watch(model, FRAMES, [1] * 8, preset='full')
    prompt = model.question(QUESTION)
    view = memory.question(extra_tokens=prompt.tokens + 16)
    tokens = model.answer_tokens(model.read(prompt.embeds, view), view, temperature=0.0)
    ours = [token.id for token in islice(tokens, 16)]
    reference = Reference(checkpoint)
    inputs = reference.inputs(FRAMES)
    whole = reference.hf.generate(**inputs, do_sample=False, max_new_tokens=16)[0]
    assert ours == whole[inputs['input_ids'].shape[1] :].tolist()
    assert len(set(ours)) > 1


def test_positions_are_those_of_get_rope_index(checkpoint: Path) -> None:
    reference = Reference(checkpoint)
    inputs = reference.inputs(FRAMES[:3])
    theirs, _ = reference.hf.model.get_rope_index(
        inputs['input_ids'], inputs['mm_token_type_ids'], video_grid_thw=inputs['video_grid_thw']
    )
    family = open_family(checkpoint)
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


@pytest.mark.parametrize('preset', ['livevlm', 'balanced', 'rekv'])
def test_a_question_that_looks_back_reads_whole_frames(
    checkpoint: Path, watch: Callable, preset: str
) -> None:
    model, frames = load_model(ModelConfig(str(checkpoint))), [*FRAMES, *FRAMES]
    long = {} if preset == 'rekv' else {'long_term_frames': 3}
    memory = watch(
        model, frames, [1] * 16, preset=preset, short_term_frames=4, retrieval_frames=3, **long
    )
    memory.settle()
    prompt = model.question(QUESTION)
    for view in memory.readings(tokens=prompt.tokens, extra_tokens=prompt.tokens):
        hidden = model.read(prompt.embeds, view)
    assert torch.isfinite(model.logits(hidden)).all()
    for layer in range(3):
        _, counts = memory.ids.frames(view.ids(layer)).unique(return_counts=True)
        assert counts.tolist() == [model.shape.tokens_per_frame] * 7
    memory.close()


@pytest.mark.parametrize('bits', [8, 4])
def test_fewer_bits_say_what_the_same_weights_say(
    tmp_path: Path, lowered: Callable, bits: int
) -> None:
    folder = _save(tmp_path, {**VISION, 'out_hidden_size': 128}, TEXT | WIDE)
    same, own = lowered(folder, FRAMES, QUESTION, bits)
    assert same.largest < 0.1 and same.equal > 0.8
    assert own.typical < {8: 0.05, 4: 0.7}[bits]


def test_a_frame_of_which_a_part_is_read_has_its_header_and_all_of_its_image(
    checkpoint: Path, watch: Callable
) -> None:
    model = load_model(ModelConfig(str(checkpoint)))
    twin, memory = (
        watch(model, FRAMES[:2], [1, 1], preset='recent', short_term_frames=4) for _ in range(2)
    )
    before = memory._tiers.short_term.tokens([1])
    read = torch.ones(1, model.shape.tokens_per_frame, dtype=torch.bool)
    read[0, model.image] = torch.arange(6) == 3
    tokens, written = model.encode_frames(FRAMES[2:3], [2.0]), []
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


def test_the_plan_is_what_is_loaded(checkpoint: Path, planned: Callable) -> None:
    planned(checkpoint)


@pytest.mark.parametrize(('hours', 'said'), [(1, '03600.0'), (25, '90000.0'), (28, '00800.0')])
def test_a_frame_has_as_many_tokens_after_a_day(checkpoint: Path, hours: float, said: str) -> None:
    family = open_family(checkpoint)
    late = family.frame_text(hours * 3600)
    assert said in family.tokenizer.decode(late.before)
    assert len(late.before) == len(family.frame_text(0.0).before)


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
    tmp_path: Path, watch: Callable, ask: Callable, monkeypatch: pytest.MonkeyPatch
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
    monkeypatch.setattr(qwen3_vl, 'SIZE', FULL)
    frames = _frames(FULL)
    _save(tmp_path, vision, text, dtype=torch.float16)
    expected = Reference(tmp_path).logits(frames)
    model = load_model(ModelConfig(str(tmp_path)))
    assert model.shape.tokens_per_frame - model.shape.text_tokens == 12 * 16
    logits, view = ask(model, watch(model, frames, [1] * 8, preset='full'), QUESTION)
    assert torch.isfinite(logits).all()
    assert (logits - expected).abs().max() < TOLERANCE
    assert sum(share for _, share in view.evidence()) == pytest.approx(1.0, abs=1e-6)
