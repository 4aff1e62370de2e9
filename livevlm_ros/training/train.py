# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training the embedded model: film clips, train the tower, then the language layers."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from transformers import LlavaOnevisionForConditionalGeneration

from livevlm_ros.model.checkpoint import CheckpointError, read_json
from livevlm_ros.training.bank import Bank, film_bank
from livevlm_ros.training.checkpoint import (
    SIDE,
    build_model,
    build_tokenizer,
    load_weights,
    save_checkpoint,
)
from livevlm_ros.training.compose import Composer, StreamBatch, start_tokens
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
    :param save_seconds: time between checkpoints
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


def train(config: TrainingConfig) -> dict[str, dict[str, tuple[int, float]]]:
    """
    Train the embedded model and write its checkpoint folder, with the held-out curve beside it.

    :returns: held-out accuracy at the end, by stream length and question kind, each `(n, share)`
    """
    torch.set_num_threads(config.threads)
    bank = film_bank(config.cache, clips=config.clips, seed=config.seed, side=SIDE)
    model = build_model(config.seed)
    if config.resume is not None:
        load_weights(model, config.resume)
    else:
        train_tower(model, bank, seconds=60 * config.tower_minutes, seed=config.seed)
        save_checkpoint(model, config.out)
    model.model.vision_tower.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(False)
    return _LanguageStage(config, model, bank).run()


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
        self._features = encode_bank(model, bank)
        tokenizer = build_tokenizer()
        clips = np.arange(len(bank.images))
        self._composer = Composer(bank, clips[:-HELD_OUT], tokenizer)
        self._held_out = Composer(bank, clips[-HELD_OUT:], tokenizer)
        self._heads = RecallHeads(model.config.text_config.hidden_size)
        self._optimizers = self._make_optimizers()
        self._start = start_tokens(tokenizer)
        self._rng = np.random.default_rng([config.seed, 1, config.resume is not None])
        self._earlier_runs = read_runs(config.resume) if config.resume else []
        self._curve: list[dict[str, object]] = []

    def run(self) -> dict[str, dict[str, tuple[int, float]]]:
        """Train until the time is up; return the held-out accuracy."""
        seconds = 60 * self._config.minutes
        began = saved = time.monotonic()
        step, loss, right = 0, 0.0, 0.0
        with Progress(
            *Progress.get_default_columns()[:2],
            TextColumn('step {task.fields[step]}, right {task.fields[right]:.3f}'),
            TimeRemainingColumn(),
        ) as progress:
            task = progress.add_task('language layers', total=seconds, step=0, right=0.0)
            while (passed := time.monotonic() - began) < seconds:
                batch_loss, batch_right = self._step(step, passed / seconds)
                step += 1
                loss += 0.02 * (batch_loss - loss)
                right += 0.02 * (batch_right - right)
                progress.update(task, completed=passed, step=step, right=right)
                if step % 50 == 0:
                    log.info(
                        'step %d, %.0f s: answer loss %.3f, right %.3f', step, passed, loss, right
                    )
                if time.monotonic() - saved > self._config.save_seconds:
                    saved = time.monotonic()
                    self._note(step, passed)
        return self._note(step, seconds)

    def _step(self, step: int, progress: float) -> tuple[float, float]:
        for optimizer, peak in self._optimizers:
            for group in optimizer.param_groups:
                group['lr'] = rate(peak, step=step, progress=progress)
            optimizer.zero_grad(set_to_none=True)
        frames = int(self._rng.integers(*self._lengths(progress)))
        reading = self._read(self._composer.batch(self._rng, frames))
        reading.loss.backward()
        nn.utils.clip_grad_norm_(self._trained(), 1.0)
        for optimizer, _ in self._optimizers:
            optimizer.step()
        return reading.answer_loss.item(), reading.right.float().mean().item()

    def _lengths(self, progress: float) -> tuple[int, int]:
        """Return the range of stream lengths at a point of the run."""
        if progress < SHORT_UNTIL and self._config.resume is None:
            return SHORT
        return LONG if progress > LONG_FROM and self._rng.random() < LONG_SHARE else MIDDLE

    def _read(self, batch: StreamBatch) -> Reading:
        with torch.autocast('cpu', torch.bfloat16):
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
        for frames in HELD_OUT_FRAMES:
            rng = np.random.default_rng([self._config.seed, 2, frames])
            readings: list[tuple[Tensor, Tensor]] = []
            for _ in range(HELD_OUT_BATCHES):
                batch = self._held_out.batch(rng, frames)
                readings.append((batch.kinds, self._read(batch).right))
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
            'evidence_loss': config.evidence_loss,
            'curve': self._curve,
        }
        record = {'runs': [*self._earlier_runs, run]}
        (config.out / RECORD).write_text(json.dumps(record, indent=1) + '\n')
