# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from livevlm_bench.over_ros.timed import Seen, read_steps, write_steps
from livevlm_ros.engine import loop
from livevlm_ros.engine.ingest import Ingest
from livevlm_ros.engine.messages import Frame


def test_a_step_is_written_with_what_had_come_of_each_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Frame] = []
    monkeypatch.setattr(Ingest, 'put', lambda ingest, frame: True)
    monkeypatch.setattr(loop, 'take_step', lambda *given: list(kept))
    file = tmp_path / 'steps'
    with file.open('w', encoding='utf-8') as steps:
        write_steps(steps)
        for stamp_ns in (7, 8):
            Ingest.put(None, Frame('left', stamp_ns, b''))  # type: ignore[arg-type]
        loop.take_step(None, None, None)  # type: ignore[arg-type]
        kept.append(Frame('left', 8, b''))  # type: ignore[arg-type]
        loop.take_step(None, None, None)  # type: ignore[arg-type]
    (step,) = read_steps(file)  # one that kept nothing is none
    assert (step.frames, step.seen) == (1, {'left': Seen(2, 8)})
    assert 0.0 <= step.took_ms < 1000.0
