# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest


def test_demo_and_ask_pass_on_their_exit_code(livevlm, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import ModuleType

    demo, client = ModuleType('demo'), ModuleType('ask_client')
    given: dict[str, object] = {}

    def run_demo(**options: object) -> int:
        given.update(options)
        return 1

    def ask(question: str, **options: object) -> int:
        given.update(options, question=question)
        return 3

    demo.run_demo, client.ask = run_demo, ask  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'livevlm_ros.node.demo', demo)
    monkeypatch.setitem(sys.modules, 'livevlm_ros.node.ask_client', client)
    assert livevlm('demo', '--seed', 5, '--questions', 50, '--json', 'd.json')[0] == 1
    expected = {'seed': 5, 'questions': 50, 'json_path': Path('d.json'), 'model': 'embedded'}
    assert given == expected
    given.clear()
    assert livevlm('ask', 'where ?', '--namespace', 'r1', '--budget', 0.5, '--json')[0] == 3
    assert given == {
        'question': 'where ?',
        'namespace': 'r1',
        'budget_s': 0.5,
        'thumbnails': None,
        'as_json': True,
    }
