# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest


def test_demo_passes_on_its_exit_code(livevlm, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import ModuleType

    demo = ModuleType('demo')
    given: dict[str, object] = {}

    def run_demo(**options: object) -> int:
        given.update(options)
        return 1

    demo.run_demo = run_demo  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'livevlm_ros.node.demo', demo)
    assert livevlm('demo', '--seed', 5, '--questions', 50, '--json', 'd.json')[0] == 1
    expected = {'seed': 5, 'questions': 50, 'json_path': Path('d.json'), 'model': 'embedded'}
    assert given == expected
