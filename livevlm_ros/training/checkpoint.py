# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The embedded checkpoint: its shape, its tokenizer and the files beside its weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import yaml
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    GenerationConfig,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)

from livevlm_ros.world.wording import examples, vocabulary

SIDE, PATCH = 96, 16
TOKENS_PER_FRAME = 9
SPECIAL = ('<pad>', '<unk>', '<bos>', '<eos>', '<image>', '<video>')
PAD, UNK, BOS, EOS, IMAGE, VIDEO = range(len(SPECIAL))
VOCABULARY = 128
CHAT_TEMPLATE = (
    '{{ bos_token }}{% for message in messages %}{{ message.role }} :'
    "{% for part in message.content if part.type == 'video' %} <video>{% endfor %}"
    "{% for part in message.content if part.type == 'text' %} {{ part.text }}{% endfor %} "
    '{% endfor %}{% if add_generation_prompt %}assistant :{% endif %}'
)
EVIDENCE = {'layers': [2], 'heads': [0, 1]}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return the word-level tokenizer of the world's questions."""
    words = ['user', 'assistant', ':', *vocabulary()]
    ids = {word: index for index, word in enumerate([*SPECIAL, *words])}
    if len(ids) > VOCABULARY:
        raise ValueError(f'the vocabulary has {len(ids)} words, the model holds {VOCABULARY}')
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token='<unk>'))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex('colour'), 'color'),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token='<pad>',
        unk_token='<unk>',
        bos_token='<bos>',
        eos_token='<eos>',
        additional_special_tokens=['<image>', '<video>'],
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def build_model(seed: int) -> LlavaOnevisionForConditionalGeneration:
    """Return the embedded model with fresh weights, in the classes transformers has for it."""
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=128,
            intermediate_size=512,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=SIDE,
            patch_size=PATCH,
            vision_use_head=False,
        ),
        text_config=Qwen2Config(
            vocab_size=VOCABULARY,
            hidden_size=256,
            intermediate_size=512,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=32768,
            rope_parameters={'rope_type': 'default', 'rope_theta': 1e6},
            tie_word_embeddings=True,
            bos_token_id=BOS,
            eos_token_id=EOS,
            pad_token_id=PAD,
        ),
        image_token_index=IMAGE,
        video_token_index=VIDEO,
        vision_feature_layer=-1,
        vision_feature_select_strategy='full',
        image_grid_pinpoints=[[SIDE, SIDE]],
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = LlavaOnevisionForConditionalGeneration(config).float()
    model.set_attn_implementation({'vision_config': 'eager', 'text_config': 'sdpa'})
    with torch.no_grad():
        for name, weight in model.model.language_model.named_parameters():
            if name.endswith(('o_proj.weight', 'down_proj.weight')):
                weight.normal_(0, 0.03)
            elif name.endswith('embed_tokens.weight'):
                weight.normal_(0, 0.1)
            elif weight.ndim == 2:
                weight.normal_(0, 0.05)
        model.model.image_newline.normal_(0, 0.1)
    return model


def save_checkpoint(model: LlavaOnevisionForConditionalGeneration, folder: Path) -> None:
    """Write a float16 checkpoint folder that transformers and `livevlm_ros.model` load."""
    folder.mkdir(parents=True, exist_ok=True)
    half = build_model(0).half()
    half.load_state_dict(model.state_dict())
    half.generation_config = GenerationConfig(
        bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, do_sample=False
    )
    half.save_pretrained(folder, safe_serialization=True)
    build_tokenizer().save_pretrained(folder)
    preprocessor = {
        'do_resize': True,
        'size': {'height': SIDE, 'width': SIDE},
        'resample': 3,
        'do_rescale': True,
        'rescale_factor': 1 / 255,
        'do_normalize': True,
        'image_mean': [0.5] * 3,
        'image_std': [0.5] * 3,
    }
    (folder / 'preprocessor_config.json').write_text(json.dumps(preprocessor, indent=2) + '\n')
    (folder / 'memory.yaml').write_text(yaml.safe_dump({'evidence': EVIDENCE}))
    known = {'closed': True, 'examples': examples()}
    (folder / 'vocabulary.yaml').write_text(yaml.safe_dump(known, sort_keys=False))


def load_weights(model: LlavaOnevisionForConditionalGeneration, folder: Path) -> None:
    """Take over the weights of a checkpoint folder that `save_checkpoint` wrote."""
    loaded = LlavaOnevisionForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True
    )
    model.load_state_dict(loaded.state_dict())
