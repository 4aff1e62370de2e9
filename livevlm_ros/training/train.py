# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training the embedded model: film clips, train the tower, then the language layers."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from rich.progress import Progress, TextColumn, TimeRemainingColumn
from torch import nn
from transformers import LlavaOnevisionForConditionalGeneration

from livevlm_ros.model.folder import CheckpointError, read_json
from livevlm_ros.training.bank import Bank, film_bank
from livevlm_ros.training.checkpoint import (
    SIDE,
    build_model,
    build_tokenizer,
    load_weights,
    save_checkpoint,
)
from livevlm_ros.training.compose import TOKENS_A_BATCH, Composer, StreamBatch, start_tokens
from livevlm_ros.training.feed import Feed
from livevlm_ros.training.language import Reading, RecallHeads, read_batch, share_right
from livevlm_ros.training.schedule import rate
from livevlm_ros.training.tower import HELD_OUT, encode_bank, train_tower

log = logging.getLogger(__name__)

RECORD = 'training.json'
MUON_RATE, ADAM_RATE = 2e-3, 1.2e-3
SHORT, MIDDLE, LONG = (2, 9), (4, 25), (25, 65)  # frames of a stream, up to but not including
SHORT_UNTIL, LONG_FROM, LONG_SHARE = 0.03, 0.25, 0.15
HELD_OUT_FRAMES = (8, 16, 64)
HELD_OUT_BATCHES = 4
GPU_TOKENS_A_BATCH = 10_000
SAVES = 6  # checkpoints of a run, or more


@dataclass(frozen=True)
class TrainingConfig:
    """
    One training run.

    :param out: checkpoint folder to write
    :param minutes: time of the language stage
    :param tower_minutes: time of the tower stage; skipped when resuming
    :param resume: checkpoint folder to go on from, with a fresh optimizer
    :param cache: folder for the clip bank, which is the same for the same seed
    :param clips: size of the bank
    :param seed: training seed
    :param threads: CPU threads
    :param evidence_loss: tell heads where the evidence lies; off for a control checkpoint
    :param save_seconds: time between checkpoints, at most
    :param device: cpu or cuda
    :param workers: processes that compose batches; with 0 the training process does
    """

    out: Path
    minutes: float = 45.0
    tower_minutes: float = 10.0
    resume: Path | None = None
    cache: Path = Path('~/.cache/livevlm_ros').expanduser()
    clips: int = 16_000
    seed: int = 0
    threads: int = 1
    evidence_loss: bool = True
    save_seconds: float = 300.0
    device: str = 'cpu'
    workers: int = 0


def train(config: TrainingConfig) -> dict[str, dict[str, tuple[int, float]]]:
    """
    Train the embedded model and write its checkpoint folder, with the held-out curve beside it.

    :returns: held-out accuracy at the end, by stream length and question kind, each `(n, share)`
    """
    torch.set_num_threads(config.threads)
    bank = film_bank(config.cache, clips=config.clips, seed=config.seed, side=SIDE)
    model = build_model(config.seed).to(config.device)
    if config.resume is not None:
        load_weights(model, config.resume)
    else:
        train_tower(model, bank, seconds=60 * config.tower_minutes, seed=config.seed)
        save_checkpoint(model, config.out)
    model.model.vision_tower.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(False)
    stage = _LanguageStage(config, model, bank)
    try:
        return stage.run()
    finally:
        stage.close()


def read_runs(checkpoint: Path) -> list[dict[str, Any]]:
    """
    Return the training runs behind a checkpoint, as `train` recorded them beside it.

    :raises CheckpointError: when there is no such record
    """
    runs = read_json(checkpoint / RECORD).get('runs')
    if not isinstance(runs, list):
        raise CheckpointError(f'{checkpoint / RECORD}: no runs; expected what train writes')
    return runs


class _LanguageStage:
    """The language stage: optimizers, schedule, held-out curve and checkpoints."""

    def __init__(
        self, config: TrainingConfig, model: LlavaOnevisionForConditionalGeneration, bank: Bank
    ) -> None:
        self._config = config
        self._model = model
        self._device = model.device
        tokenizer = build_tokenizer()
        clips = np.arange(len(bank.images))
        tokens = TOKENS_A_BATCH if self._device.type == 'cpu' else GPU_TOKENS_A_BATCH
        composer = Composer(bank, clips[:-HELD_OUT], tokenizer, tokens=tokens)
        seed = [config.seed, 1, config.resume is not None]
        self._feed = Feed(composer, seed, workers=config.workers)
        self._feed.fill(partial(self._choose_frames, 0.0))
        self._features = encode_bank(model, bank)
        self._held_out = self._compose_held_out(Composer(bank, clips[-HELD_OUT:], tokenizer))
        self._heads = RecallHeads(model.config.text_config.hidden_size).to(self._device)
        self._optimizers = self._make_optimizers()
        self._start = start_tokens(tokenizer).to(self._device)
        self._earlier_runs = read_runs(config.resume) if config.resume else []
        self._curve: list[dict[str, object]] = []

    def close(self) -> None:
        """End the workers."""
        self._feed.close()

    def run(self) -> dict[str, dict[str, tuple[int, float]]]:
        """Train until the time is up; return the held-out accuracy."""
        seconds = 60 * self._config.minutes
        save_seconds = min(self._config.save_seconds, seconds / SAVES)
        began = saved = time.monotonic()
        step = 0
        loss, right = torch.zeros(2, device=self._device)  # running means
        with Progress(
            *Progress.get_default_columns()[:2],
            TextColumn('step {task.fields[step]}'),
            TimeRemainingColumn(),
        ) as progress:
            task = progress.add_task('language layers', total=seconds, step=0)
            while (passed := time.monotonic() - began) < seconds:
                reading = self._step(step, passed / seconds)
                step += 1
                loss.lerp_(reading.answer_loss, 0.02)
                right.lerp_(reading.right.float().mean(), 0.02)
                progress.update(task, completed=passed, step=step)
                if step % 50 == 0:
                    log.info(
                        'step %d, %.0f s: answer loss %.3f, right %.3f', step, passed, loss, right
                    )
                if time.monotonic() - saved > save_seconds:
                    saved = time.monotonic()
                    self._note(step, passed)
        return self._note(step, seconds)

    def _step(self, step: int, progress: float) -> Reading:
        for optimizer, peak in self._optimizers:
            for group in optimizer.param_groups:
                group['lr'] = rate(peak, step=step, progress=progress)
            optimizer.zero_grad(set_to_none=True)
        batch = self._feed.next(partial(self._choose_frames, progress)).to(self._device)
        reading = self._read(batch)
        reading.loss.backward()
        nn.utils.clip_grad_norm_(self._trained(), 1.0)
        for optimizer, _ in self._optimizers:
            optimizer.step()
        return reading

    def _choose_frames(self, progress: float, rng: Generator) -> int:
        """Choose the frames a stream of a batch at a point of the run."""
        if progress < SHORT_UNTIL and self._config.resume is None:
            lengths = SHORT
        else:
            lengths = LONG if progress > LONG_FROM and rng.random() < LONG_SHARE else MIDDLE
        return int(rng.integers(*lengths))

    def _compose_held_out(self, composer: Composer) -> dict[int, list[StreamBatch]]:
        """Compose the streams that the held-out accuracy is measured on, by their length."""
        batches = {}
        for frames in HELD_OUT_FRAMES:
            rng = np.random.default_rng([self._config.seed, 2, frames])
            composed = [composer.batch(rng, frames) for _ in range(HELD_OUT_BATCHES)]
            batches[frames] = [batch.to(self._device) for batch in composed]
        return batches

    def _read(self, batch: StreamBatch) -> Reading:
        with torch.autocast(self._device.type, torch.bfloat16):
            return read_batch(
                self._model,
                self._heads,
                batch,
                self._features,
                self._start,
                evidence_loss=self._config.evidence_loss,
            )

    def _trained(self) -> list[nn.Parameter]:
        return [*self._model.parameters(), *self._heads.parameters()]

    def _make_optimizers(self) -> list[tuple[torch.optim.Optimizer, float]]:
        """Muon for the matrices of the language layers, AdamW for everything else."""
        layers = self._model.model.language_model.layers
        matrices = [weight for weight in layers.parameters() if weight.ndim == 2]
        taken = {id(weight) for weight in matrices}
        rest = [w for w in self._trained() if w.requires_grad and id(w) not in taken]
        muon = torch.optim.Muon(
            matrices, lr=MUON_RATE, weight_decay=0.05, adjust_lr_fn='match_rms_adamw'
        )
        adam = torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.05)
        return [(muon, MUON_RATE), (adam, ADAM_RATE)]

    @torch.no_grad()
    def _note(self, step: int, passed: float) -> dict[str, dict[str, tuple[int, float]]]:
        """Measure the held-out accuracy, log it and write the checkpoint."""
        measured: dict[str, dict[str, tuple[int, float]]] = {}
        for frames, batches in self._held_out.items():
            readings = [(batch.kinds, self._read(batch).right) for batch in batches]
            measured[str(frames)] = share_right(readings)
            shares = ', '.join(
                f'{kind} {share:.2f}' for kind, (_, share) in measured[str(frames)].items()
            )
            log.info('held out, %d frames, step %d, %.0f s: %s', frames, step, passed, shares)
        self._curve.append({'step': step, 'seconds': round(passed), 'held_out': measured})
        save_checkpoint(self._model, self._config.out)
        self._write_record()
        return measured

    def _write_record(self) -> None:
        """Write what made the checkpoint: the runs it goes on from, then this one."""
        config = self._config
        run = {
            'seed': config.seed,
            'minutes': config.minutes,
            'tower_minutes': 0.0 if config.resume else config.tower_minutes,
            'clips': config.clips,
            'threads': config.threads,
            'device': _name(self._device),
            'evidence_loss': config.evidence_loss,
            'curve': self._curve,
        }
        record = {'runs': [*self._earlier_runs, run]}
        (config.out / RECORD).write_text(json.dumps(record, indent=1) + '\n')


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == 'cuda' else 'cpu'
