# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
LiveVLM's ablation of retrieval: pages ranked by keys before rotary position, and by keys after it.

After rotary, every token keeps the position at which a plain cache would have stored it: its place
in the whole stream, what was dropped since counted. A page is the mean of keys so turned, and the
question is turned to the places after the newest token. Nothing else differs: what is chosen is
read from keys before rotary, at positions made on reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from torch import Tensor

from livevlm_ros.engine import Engine, EngineConfig, rooms
from livevlm_ros.memory import (
    CacheShape,
    EvidenceLayers,
    FrameRef,
    Memory,
    MemoryConfig,
    Reach,
    RetrievalSettings,
)
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.pages import Pages, _Tier
from livevlm_ros.memory.reading import Piece
from livevlm_ros.memory.retrieval import page_means
from livevlm_ros.memory.rotary import RotaryTable
from livevlm_ros.model import CheckpointError, load_model
from livevlm_ros.replay.accuracy import Report
from livevlm_ros.replay.cap import over_kinds
from livevlm_ros.replay.compare import Load, Run, paired, run_rows
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.evaluate import Progress
from livevlm_ros.replay.rows import Row
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.replay.table import difference, percent, rate_text

PRESET = 'livevlm'


class StreamPlaces:
    """Where tokens stand in the stream: frame by frame as they were kept, all of each counted."""

    def __init__(self, names: TokenNames) -> None:
        self._names = names
        self.clear()

    def clear(self) -> None:
        """Let the stream begin anew."""
        self._seen = [torch.empty(0, dtype=torch.int64)]  # names of each frame's tokens

    def add(self, frames: Sequence[FrameRef]) -> None:
        """Count frames that were kept."""
        self._seen += [self._names.of_frame(ref) for ref in frames]

    def of(self, names: Tensor) -> Tensor:
        """Return the places of tokens of frames that were kept, shaped like `names`."""
        ordered, places = torch.cat(self._seen).sort()
        return places[torch.searchsorted(ordered, names.cpu())].to(names.device)

    def after(self, tokens: int) -> Tensor:
        """Return the first places after the stream, int64 [tokens]."""
        first = sum(map(len, self._seen))
        return torch.arange(first, first + tokens)


def turned(x: Tensor, places: Tensor, table: RotaryTable) -> Tensor:
    """
    Put rotary position on.

    :param x: keys or queries before rotary, [heads, tokens, head_dim]
    :param places: position of each token, int64 [tokens]; `table` reserves them all
    """
    places = places.to(x.device)
    cos, sin = table.cos[places], table.sin[places]  # [tokens, head_dim / 2]
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)


class TurnedPages(Pages):
    """
    Pages of a memory without archive, ranked after rotary.

    `places` says where tokens stand, `table` turns them.
    """

    places: StreamPlaces
    table: RotaryTable

    def find(self, layer: int, q: Tensor, reach: Reach) -> tuple[list[Piece], int]:
        """Find as `Pages.find` says; without an archive only the ranking looks at `q`."""
        assert self.recall is None
        places = self.places.after(q.shape[1])
        self.table.reserve(int(places[-1]) + 1)
        return super().find(layer, turned(q, places, self.table), reach)

    def _held(self, piece: Piece) -> _Tier:
        whole = piece.span(0, self._whole(piece))
        keys = turned(whole.keys, self.places.of(whole.names), self.table)
        return replace(super()._held(piece), means=page_means(keys, page_tokens=self._size))


class AfterRotary(Memory):
    """A memory of the preset `livevlm` whose pages are ranked after rotary."""

    def __init__(
        self,
        config: MemoryConfig,
        shape: CacheShape,
        cameras: Sequence[str],
        device: torch.device | str = 'cpu',
        dtype: torch.dtype = torch.float32,
        evidence: EvidenceLayers | None = None,
        retrieval: RetrievalSettings | None = None,
    ) -> None:
        settings = retrieval or RetrievalSettings()
        super().__init__(config, shape, cameras, device, dtype, evidence, settings)
        self._places = StreamPlaces(self._names)
        self._pages = pages = TurnedPages(
            config,
            settings,
            self._long_term,
            self._recall,
            self._names,
            page_tokens=settings.page_tokens,
            frame_tokens=shape.tokens_per_frame,
        )
        pages.places = self._places
        pages.table = RotaryTable(shape, device=torch.device(device), dtype=dtype)

    def clear(self) -> int:
        """Forget every frame, and where it stood."""
        self._places.clear()
        return super().clear()

    def _keep(self, frames: Sequence[FrameRef], keys: Tensor, values: Tensor) -> None:
        super()._keep(frames, keys, values)
        self._places.add(frames)


RANKED: dict[str, type[Memory]] = {'before': Memory, 'after': AfterRotary}
"""Memories by the keys that rank their pages: those before rotary, or after it."""


def measure(
    source: Path,
    ratios: Sequence[float],
    *,
    model: str = 'embedded',
    progress: Progress = lambda name, share: None,
) -> Report:
    """
    Replay recordings with questions, with pages ranked before and after rotary.

    :param source: a bag or a folder of bags, with questions
    :param ratios: most that a question reads, as shares of long-term's budget
    :param progress: called with row and recording, and the share of everything done, [0, 1]
    :returns: `rows`, what was right by ranking and ratio, beside guessing; `paired`, after minus
        before for each ratio, see `compare.paired`; `reports` of all rows by name
    :raises BadInput: as `engine_config` and `evaluate` do, or for a model that cannot be used
    """
    configs = {
        ratio: engine_config(model=model, preset=PRESET, given=(f'retrieval.ratio={ratio}',))
        for ratio in ratios
    }
    load_once = lru_cache(maxsize=1)(load_model)

    def loading(memory: type[Memory]) -> Load:
        def load(config: EngineConfig, progress: Progress) -> Engine:
            engine = Engine(config, load=load_once)
            try:
                with patch.object(rooms, 'Memory', memory):
                    engine.load(progress)
            except (CheckpointError, ValueError) as error:
                raise BadInput(str(error)) from error
            return engine

        return load

    runs: dict[str, list[Run]] = {}
    for number, (ranked, memory) in enumerate(RANKED.items()):

        def tell(name: str, share: float, number: int = number) -> None:
            progress(name, (number + share) / len(RANKED))

        rows = [Row(f'{ranked}@{ratio:g}', config) for ratio, config in configs.items()]
        runs[ranked] = list(run_rows(source, rows, load=loading(memory), progress=tell))
    reports = {run.name: run.report for of_one in runs.values() for run in of_one}
    return {
        **{key: runs['before'][0].report[key] for key in ('source', 'model', 'preset')},
        'rows': [
            _row(run.report, ranked=ranked, ratio=ratio)
            for ranked, of_one in runs.items()
            for ratio, run in zip(ratios, of_one, strict=True)
        ],
        'paired': [
            paired(after, before)
            for before, after in zip(runs['before'], runs['after'], strict=True)
        ],
        'warnings': list(
            dict.fromkeys(w for report in reports.values() for w in report['warnings'])
        ),
        'reports': reports,
    }


def _row(report: Report, *, ranked: str, ratio: float) -> Report:
    statuses = report['questions']['statuses']
    return {
        'ranked': ranked,
        'ratio': ratio,
        'right': report['accuracy']['overall'],
        'chance': over_kinds(report, 'chance'),
        'majority': over_kinds(report, 'majority'),
        'evidence_of_the_past': report['evidence']['past'],
        'not_answered': sum(statuses.values()) - statuses.get('OK', 0),
    }


def print_rotary(found: Report, console: Console) -> None:
    """
    Print rates by ranking and ratio, then the differences in pairs.

    :param found: as `measure` gives it
    """
    for warning in found['warnings']:
        console.print(f'warning: {warning}', style='yellow', markup=False, highlight=False)
    console.print(
        f'{found["model"]}, preset {found["preset"]}; rates in % ± s.e.; evidence of the past',
        highlight=False,
        markup=False,
    )
    table = _table('ranked', 'ratio', 'n', 'right', 'chance', 'majority')
    for title in ('n', 'evidence', 'chance'):
        table.add_column(title, justify='right', no_wrap=True)
    for row in found['rows']:
        right, past = row['right'], row['evidence_of_the_past']
        table.add_row(
            row['ranked'],
            f'{row["ratio"]:g}',
            *(str(right['n']), rate_text(right)),
            *(percent(row['chance']), percent(row['majority'])),
            *(str(past['n']), rate_text(past), percent(past['chance'])),
        )
    console.print(table)
    pairs = _table('right, in pairs', 'points', '95 %', 'n', 'streams', 'same answers')
    for row in found['paired']:
        pairs.add_row(
            f'{row["candidate"]} − {row["baseline"]}',
            *difference(row),
            *(str(row['n']), str(row['streams'])),
            percent(row['agreement']['rate']),
        )
    console.print(pairs)
    for row in found['rows']:
        if row['not_answered']:
            name = f'{row["ranked"]} rotary, ratio {row["ratio"]:g}'
            console.print(f'{name}: {row["not_answered"]} not answered', highlight=False)


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for title in others:
        table.add_column(title, justify='right', no_wrap=True)
    return table
