# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stage one: the tower and projector learn to say, in each token, what stands in its column.

The heads that read the tokens are linear and thrown away. Each token also has to tell its own
column: without that the language model did not learn to answer where something was.
"""

from __future__ import annotations

import logging
import time

import torch
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlavaOnevisionForConditionalGeneration

from livevlm_ros.training.bank import Bank
from livevlm_ros.training.checkpoint import TOKENS_PER_FRAME
from livevlm_ros.training.schedule import rate
from livevlm_ros.world.scene import CLASSES, COLORS, PLACES

log = logging.getLogger(__name__)

BATCH, GPU_BATCH = 128, 256
PEAK_RATE = 1e-3
HELD_OUT = 400  # clips at the end of the bank that the tower never trains on
FEATURE_STD = 0.5
CLIPS_AT_ONCE = 64


class TokenHeads(nn.Module):
    """Linear readings of a token: class, color and number of its column."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.kind = nn.Linear(hidden, len(CLASSES) + 1)
        self.color = nn.Linear(hidden, len(COLORS) + 1)
        self.column = nn.Linear(hidden, len(PLACES))
        self.column_of: Tensor
        self.register_buffer('column_of', torch.arange(TOKENS_PER_FRAME) % len(PLACES))

    def loss(self, tokens: Tensor, kinds: Tensor, colors: Tensor) -> tuple[Tensor, Tensor]:
        """
        Score a batch.

        :param tokens: [frames, tokens, hidden]
        :param kinds: class at each place, `NONE` where nothing stands, [frames, places]
        :param colors: likewise the color
        :returns: the loss, and the share of frames whose every place was read right
        """
        kind, color, column = self.kind(tokens), self.color(tokens), self.column(tokens)
        kinds, colors = (each[:, self.column_of] + 1 for each in (kinds, colors))
        columns = self.column_of.expand(len(tokens), -1)
        loss = (
            functional.cross_entropy(kind.flatten(0, 1), kinds.flatten())
            + functional.cross_entropy(color.flatten(0, 1), colors.flatten())
            + 0.3 * functional.cross_entropy(column.flatten(0, 1), columns.flatten())
        )
        right = (kind.argmax(-1) == kinds) & (color.argmax(-1) == colors)
        return loss, right.all(1).float().mean()


def train_tower(
    model: LlavaOnevisionForConditionalGeneration, bank: Bank, *, seconds: float, seed: int
) -> float:
    """
    Train the tower and the projector for a time, then scale the features to `FEATURE_STD`.

    :param model: the LLaVA-OneVision model, changed in place
    :param bank: the clip bank
    :param seconds: training time
    :returns: share of held-out frames read right in every token
    """
    device = model.device
    generator = torch.Generator(device).manual_seed(seed)
    heads = TokenHeads(model.config.text_config.hidden_size).to(device)
    parts = (model.model.vision_tower, model.model.multi_modal_projector, heads)
    parameters = [weight for part in parts for weight in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    images = torch.from_numpy(bank.images).to(device)
    kinds, colors = (
        torch.from_numpy(labels).to(device).long() for labels in (bank.kinds, bank.colors)
    )
    batch = BATCH if device.type == 'cpu' else GPU_BATCH
    clips, moments = images.shape[:2]
    right = torch.zeros((), device=device)
    began, step = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        for group in optimizer.param_groups:
            group['lr'] = rate(PEAK_RATE, step=step, progress=passed / seconds)
        picked, moment = (
            torch.randint(end, (batch,), generator=generator, device=device)
            for end in (clips - HELD_OUT, moments)
        )
        with torch.autocast(device.type, torch.bfloat16):
            tokens = encode(model, images[picked, moment])
        loss, share = heads.loss(tokens.float(), kinds[picked], colors[picked])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        right.lerp_(share, 0.02)
        step += 1
        if step % 100 == 0:
            log.info(
                'tower step %d, %.0f s: loss %.3f, frames right %.3f', step, passed, loss, right
            )
    with torch.no_grad():
        tokens = encode(model, images[-HELD_OUT:, 0])
        read_right = heads.loss(tokens, kinds[-HELD_OUT:], colors[-HELD_OUT:])[1].item()
        last = model.model.multi_modal_projector.linear_2
        scale = FEATURE_STD / tokens.std()
        last.weight.mul_(scale)
        last.bias.mul_(scale)
    log.info('tower: held-out frames right %.3f after %d steps', read_right, step)
    return read_right


def encode(model: LlavaOnevisionForConditionalGeneration, frames: Tensor) -> Tensor:
    """
    Encode frames through tower, projector and pooling.

    :param frames: uint8 RGB at the input size, [frames, side, side, 3]
    :returns: [frames, tokens, hidden]
    """
    pixels = frames.movedim(-1, 1).float() / 127.5 - 1
    hidden = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1]
    return model.model.apply_pooling(model.model.multi_modal_projector(hidden))


@torch.no_grad()
def encode_bank(model: LlavaOnevisionForConditionalGeneration, bank: Bank) -> Tensor:
    """Return the tokens of the bank's frames in bfloat16, [clips, frames, tokens, hidden]."""
    device = model.device
    chunks = []
    for start in track(range(0, len(bank.images), CLIPS_AT_ONCE), 'encoding clips'):
        frames = torch.from_numpy(bank.images[start : start + CLIPS_AT_ONCE]).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            chunks.append(encode(model, frames.flatten(0, 1)).bfloat16())
    return torch.cat(chunks).unflatten(0, bank.images.shape[:2])
