# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch

from livevlm_bench.over_ros import breakable


class Work:
    def do(self, number: int) -> int:
        return 2 * number


def test_a_stage_fails_once_with_what_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakable, 'STAGES', {'work': (Work, 'do')})
    breakable.fail_on_order(tmp_path)
    assert Work().do(3) == 6
    (tmp_path / 'work').write_text('OutOfMemoryError')
    with pytest.raises(torch.OutOfMemoryError, match='injected into work'):
        Work().do(3)
    assert Work().do(3) == 6
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('stage', sorted(breakable.STAGES))
def test_each_stage_is_there(stage: str) -> None:
    owner, name = breakable.STAGES[stage]
    assert callable(getattr(owner, name))
