# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small random checkpoints of families that put text around frames, and transformers' own view."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
from transformers.models.smolvlm import processing_smolvlm
from transformers.models.smolvlm.configuration_smolvlm import SmolVLMVisionConfig

from livevlm_ros.model.shapes import qwen3_vl as qwen3_vl_shape

QUESTION = 'what color was the car'
TEXT = {
    'hidden_size': 48,
    'intermediate_size': 80,
    'num_hidden_layers': 3,
    'num_attention_heads': 6,
    'num_key_value_heads': 2,
    'initializer_range': 0.15,
    'vocab_size': 320,
}
WIDE = {
    'hidden_size': 128,
    'intermediate_size': 192,
    'num_attention_heads': 8,
    'num_key_value_heads': 4,
}
PIXELS = {
    'do_rescale': True,
    'rescale_factor': 1 / 255,
    'do_normalize': True,
    'image_mean': [0.5, 0.5, 0.5],
    'image_std': [0.5, 0.5, 0.5],
}


def tokenizer_of(
    spoken: Sequence[str],
    markers: Sequence[str],
    template: str,
    *,
    digits: bool = True,
    **ends: str,
) -> PreTrainedTokenizerFast:
    """Make a byte-level BPE; `digits` are tokens of their own."""
    pieces = Tokenizer(models.BPE())
    split = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    pieces.pre_tokenizer = pre_tokenizers.Sequence(
        [*split, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    pieces.train_from_iterator([*spoken, QUESTION], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, additional_special_tokens=list(markers), **ends
    )
    tokenizer.chat_template = template
    return tokenizer


def save_network(network: torch.nn.Module, folder: Path, dtype: torch.dtype) -> None:
    """Save a network whose biases and norms are far from trivial."""
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=float('norm' in name), std=0.2)
    network.to(dtype).save_pretrained(folder)


class Reference:
    """transformers' own model over a whole video of a frame a second."""

    network: Any

    def __init__(self, folder: Path) -> None:
        self.hf = self.network.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)

    def inputs(self, images: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Ids of the chat about the video, and pixels as its processor makes them."""
        raise NotImplementedError

    @torch.inference_mode()
    def logits(self, images: Sequence[np.ndarray]) -> Tensor:
        """Scores of the first answer token, [vocabulary]."""
        logits: Tensor = self.hf(**self.inputs(images)).logits[0, -1]
        return logits

    def answer(self, images: Sequence[np.ndarray], tokens: int) -> list[int]:
        """Greedy answer."""
        inputs = self.inputs(images)
        ids = self.hf.generate(**inputs, do_sample=False, max_new_tokens=tokens)
        answer: list[int] = ids[0, inputs['input_ids'].shape[1] :].tolist()
        return answer

    def _ids(self, video: str, *, place: str, template: str | None = None) -> Tensor:
        """Ids of the chat, with a video in its place."""
        content = [{'type': 'video'}, {'type': 'text', 'text': QUESTION}]
        rendered = self.tokenizer.apply_chat_template(
            [{'role': 'user', 'content': content}],
            chat_template=template,
            add_generation_prompt=True,
            tokenize=False,
        )
        whole = rendered.replace(place, video)
        ids: Tensor = self.tokenizer(
            whole, add_special_tokens=False, return_tensors='pt'
        ).input_ids
        return ids


def _pixels(images: Sequence[np.ndarray]) -> Tensor:
    """Return normalised pixels, [frames, 3, height, width]."""
    return torch.from_numpy((np.stack(images) / 255 - 0.5) / 0.5).permute(0, 3, 1, 2).float()


@dataclass(frozen=True)
class Family:
    """
    A family, small.

    :param folder: its checkpoint
    :param wide: vision and text of a checkpoint that few bits can hold
    :param save: saves a checkpoint of some vision and text
    :param reference: transformers' own model of a folder
    :param frames: eight of the tower's own size
    """

    folder: Path
    wide: tuple[dict, dict]
    save: Callable[..., Path]
    reference: type[Reference]
    frames: list[np.ndarray]

    @cached_property
    def logits(self) -> Tensor:
        """What transformers says of the eight frames."""
        return self.reference(self.folder).logits(self.frames)


def _frames(height: int, width: int) -> list[np.ndarray]:
    shape = (8, height, width, 3)
    return list(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


SMOLVLM_VISION = {
    'hidden_size': 32,
    'intermediate_size': 64,
    'num_hidden_layers': 3,
    'num_attention_heads': 4,
    'image_size': 32,
    'patch_size': 4,
}
SMOLVLM_TEXT = TEXT | {
    'max_position_embeddings': 4096,
    'rope_parameters': {'rope_type': 'default', 'rope_theta': 1e5},
}
SMOLVLM_MARKERS = ['<|im_start|>', '<image>', '<fake_token_around_image>', '<global-img>']
# As the hub's checkpoints have it: with no place for a video.
SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}: "
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def smolvlm_tokenizer(*, digits: bool = True) -> PreTrainedTokenizerFast:
    """Make a tokenizer that splits as SmolLM2's, with the markers of SmolVLM."""
    return tokenizer_of(
        ['User Assistant Frame from 00 00 00', '\n\n video.\n\n'],
        SMOLVLM_MARKERS,
        SMOLVLM_TEMPLATE,
        digits=digits,
        eos_token='<end_of_utterance>',
        pad_token='<|im_end|>',
    )


def save_smolvlm(
    folder: Path, vision: dict, text: dict, *, scale: int = 2, dtype: torch.dtype = torch.float32
) -> Path:
    tokenizer = smolvlm_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(4)
    network = SmolVLMForConditionalGeneration(
        SmolVLMConfig(
            vision_config=SmolVLMVisionConfig(**vision),
            text_config=LlamaConfig(**text, eos_token_id=tokenizer.eos_token_id, pad_token_id=0),
            scale_factor=scale,
            image_token_id=tokenizer.convert_tokens_to_ids('<image>'),
        )
    )
    save_network(network, folder, dtype)
    side = vision['image_size']
    settings = PIXELS | {
        'do_resize': True,
        'do_image_splitting': True,
        'size': {'longest_edge': 4 * side},
        'max_image_size': {'longest_edge': side},
        'video_sampling': {'fps': 1, 'max_frames': 64, 'video_size': {'longest_edge': side}},
        'resample': 1,
    }
    (folder / 'preprocessor_config.json').write_text(json.dumps(settings))
    return folder


class SmolVLMReference(Reference):
    network = SmolVLMForConditionalGeneration

    def inputs(self, images: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Put the video together as its processor does."""
        video = 'You are provided the following series of frames from a video.\n'
        for second in range(len(images)):
            stamp = f'00:{second:02d}'
            video += processing_smolvlm.FRAME_TIMESTAMP_MESSAGE.format(timestamp=stamp)
            video += processing_smolvlm._prompt_single_image(
                self.hf.model.image_seq_len,
                image_token='<image>',
                fake_token_around_image='<fake_token_around_image>',
                global_image_token='<global-img>',
            )
        video += processing_smolvlm.DEFAULT_MEDIA_OUTTRO
        template = processing_smolvlm.DEFAULT_CHAT_TEMPLATE
        return {
            'input_ids': self._ids(video, place='<video>', template=template),
            'pixel_values': _pixels(images)[None],
        }


@pytest.fixture(scope='session')
def smolvlm(tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = save_smolvlm(tmp_path_factory.mktemp('smolvlm'), SMOLVLM_VISION, SMOLVLM_TEXT)
    wide = SMOLVLM_VISION, SMOLVLM_TEXT | WIDE
    return Family(folder, wide, save_smolvlm, SmolVLMReference, _frames(32, 32))


@pytest.fixture(scope='session')
def merging_tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer of SmolVLM's in which digits merge."""
    return smolvlm_tokenizer(digits=False)


QWEN3_VL_VISION = {
    'hidden_size': 32,
    'intermediate_size': 64,
    'depth': 4,
    'num_heads': 4,
    'patch_size': 16,
    'num_position_embeddings': 64,
    'out_hidden_size': 48,
    'deepstack_visual_indexes': [0, 2],
}
QWEN3_VL_ROPE = {
    'rope_type': 'default',
    'rope_theta': 1e6,
    'mrope_section': [4, 2, 2],
    'mrope_interleaved': True,
}
QWEN3_VL_TEXT = TEXT | {
    'head_dim': 16,
    'max_position_embeddings': 8192,
    'rope_parameters': QWEN3_VL_ROPE,
}
QWEN3_VL_MARKERS = [
    '<|im_start|>',
    '<|vision_start|>',
    '<|vision_end|>',
    '<|image_pad|>',
    '<|video_pad|>',
]
QWEN3_VL_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% for content in message.content %}{% if content.type == 'video' %}"
    "{{ '<|vision_start|><|video_pad|><|vision_end|>' }}{% elif 'text' in content %}"
    "{{ content.text }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def save_qwen3_vl(
    folder: Path, vision: dict, text: dict, *, dtype: torch.dtype = torch.float32
) -> Path:
    tokenizer = tokenizer_of(
        ['user assistant seconds>'],
        QWEN3_VL_MARKERS,
        QWEN3_VL_TEMPLATE,
        eos_token='<|im_end|>',
        pad_token='<|endoftext|>',
    )
    tokenizer.save_pretrained(folder)
    start, end, image, video = tokenizer.convert_tokens_to_ids(QWEN3_VL_MARKERS[1:])
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
    save_network(network, folder, dtype)
    settings = PIXELS | {
        'size': {'longest_edge': 25165824, 'shortest_edge': 4096},
        'resample': 3,
        'patch_size': 16,
        'temporal_patch_size': 2,
        'merge_size': 2,
    }
    (folder / 'video_preprocessor_config.json').write_text(json.dumps(settings))
    return folder


class Qwen3VLReference(Reference):
    network = Qwen3VLForConditionalGeneration

    def inputs(self, images: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Pair every frame with itself, and cut patches as its processor does."""
        pairs = _pixels(images).repeat_interleave(2, dim=0)[None]
        patches, *grid = Qwen3VLVideoProcessor.patchify(None, pairs, 16, 2, 2)
        places = '<|video_pad|>' * (grid[1] * grid[2] // 4)
        video = ''.join(
            f'<0000{second}.0 seconds><|vision_start|>{places}<|vision_end|>'
            for second in range(len(images))
        )
        ids = self._ids(video, place='<|vision_start|><|video_pad|><|vision_end|>')
        return {
            'input_ids': ids,
            'mm_token_type_ids': 2 * (ids == self.hf.config.video_token_id).int(),
            'pixel_values_videos': patches[0],
            'video_grid_thw': torch.tensor([grid]),
        }


@pytest.fixture(scope='session')
def small_qwen3_vl(tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = save_qwen3_vl(tmp_path_factory.mktemp('qwen3_vl'), QWEN3_VL_VISION, QWEN3_VL_TEXT)
    wide = {**QWEN3_VL_VISION, 'out_hidden_size': 128}, QWEN3_VL_TEXT | WIDE
    return Family(folder, wide, save_qwen3_vl, Qwen3VLReference, _frames(64, 96))


@pytest.fixture
def qwen3_vl(small_qwen3_vl: Family, monkeypatch: pytest.MonkeyPatch) -> Family:
    """Let frames be small, of two rows and three columns."""
    monkeypatch.setattr(qwen3_vl_shape, 'SIZE', (64, 96))
    return small_qwen3_vl


@pytest.fixture(params=['smolvlm', 'qwen3_vl'])
def family(request: pytest.FixtureRequest) -> Family:
    """Each of the families in turn."""
    found: Family = request.getfixturevalue(request.param)
    return found
