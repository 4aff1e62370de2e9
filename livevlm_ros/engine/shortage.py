# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A device that runs out of memory: what is lost for it is said in one line, and logged once."""

from __future__ import annotations

import logging

import torch

from livevlm_ros.engine.events import EventKind, Events

ADVICE = (
    'lower memory.short_term_frames, memory.long_term_frames or retrieval.frames, take a smaller '
    'model, or end what else uses the device'
)
TOLD_SENTENCES = 3
"""Sentences kept of what torch says: memory is out, how much was asked for, how much is free."""

_log = logging.getLogger(__name__)


class Shortages:
    """Logs the first step and the first question that are lost; statistics count them all."""

    def __init__(self, events: Events) -> None:
        self._told: set[str] = set()
        self._events = events

    def tell(self, lost: str, error: torch.OutOfMemoryError) -> str:
        """
        Return what happened, in one line.

        :param lost: what is lost: a `step` or a `question`
        """
        text = out_of_memory(error)
        self._events.tell(EventKind.OOM, detail=f'{lost}: {text}')
        if lost not in self._told:
            self._told.add(lost)
            _log.warning('a %s is lost, which is logged once: %s', lost, text)
        return text


def out_of_memory(error: torch.OutOfMemoryError) -> str:
    """Return what torch says and what to do, in one line."""
    sentences = ' '.join(str(error).split()).rstrip('.').split('. ')
    return f'{". ".join(sentences[:TOLD_SENTENCES])}: {ADVICE}'
