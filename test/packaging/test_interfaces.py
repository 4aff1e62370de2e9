# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ask.srv and AskStream.action have equal fields, and the engine's numbers are the messages'."""

import re
import runpy
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from livevlm_ros.engine.messages import Finish, Scope, Source, Status

Field = tuple[str, str, str]


def sections(path: Path) -> list[list[Field]]:
    """Return (type, name, default or constant) of each field, per section of an interface file."""
    parts: list[list[Field]] = [[]]
    for line in path.read_text(encoding='utf-8').splitlines():
        if line == '---':
            parts.append([])
        elif found := re.match(r'([\w/\[\]]+) +(\w+) *(=?[^#]*)', line):
            parts[-1].append((found[1], found[2], found[3].strip()))
    return parts


def test_no_text_is_a_message_in_disguise(root: Path) -> None:
    files = [each for kind in ('msg', 'srv', 'action') for each in root.glob(f'*/{kind}/*.{kind}')]
    assert len(files) > 20
    assert not [file for file in files if 'json' in file.read_text(encoding='utf-8').lower()]


def test_the_action_has_the_fields_of_the_service(root: Path) -> None:
    request, response = sections(root / 'livevlm_interfaces/srv/Ask.srv')
    goal, result, feedback = sections(root / 'livevlm_interfaces/action/AskStream.action')
    assert ('float32', 'temperature', '-1.0') in request
    assert ('uint8', 'STATUS_INVALID', '=6') in response
    assert (request, response) == (goal, result)
    assert ('string', 'delta', '') in feedback


def test_the_files_are_what_the_template_makes(root: Path) -> None:
    package = root / 'livevlm_interfaces'
    generate = runpy.run_path(str(package / 'template/generate.py'))['generate']
    files = generate((package / 'template/ask.template').read_text(encoding='utf-8'))
    for path, text in files.items():
        assert (package / path).read_text(encoding='utf-8') == text, f'run generate.py for {path}'


def test_the_installed_types_agree() -> None:
    action = pytest.importorskip('livevlm_interfaces.action').AskStream
    service = pytest.importorskip('livevlm_interfaces.srv').Ask
    for ours, theirs in ((service.Request, action.Goal), (service.Response, action.Result)):
        assert ours.get_fields_and_field_types() == theirs.get_fields_and_field_types()
        assert constants(ours) == constants(theirs)
        for name in ours.get_fields_and_field_types():
            assert str(getattr(ours(), name)) == str(getattr(theirs(), name))


def constants(message: Any) -> dict[str, int]:
    """Return the constants of a message type."""
    return {name: getattr(message, name) for name in dir(message) if re.match('[A-Z]+_', name)}


def test_a_request_without_settings_means_the_nodes_parameters() -> None:
    request = pytest.importorskip('livevlm_interfaces.srv').Ask.Request()
    assert (request.temperature, request.allow_partial, request.max_tokens) == (-1.0, True, 0)
    assert request.latency_budget.sec == request.latency_budget.nanosec == 0


@pytest.mark.parametrize(
    ('enum', 'file', 'prefix'),
    [
        (Status, 'srv/Ask.srv', 'STATUS_'),
        (Finish, 'srv/Ask.srv', 'FINISH_'),
        (Scope, 'srv/Ask.srv', 'SCOPE_'),
        (Source, 'msg/Evidence.msg', 'SOURCE_'),
    ],
)
def test_the_engine_counts_like_the_messages(
    root: Path, enum: type[IntEnum], file: str, prefix: str
) -> None:
    fields = sum(sections(root / 'livevlm_interfaces' / file), [])
    told = {name: int(value[1:]) for _, name, value in fields if name.startswith(prefix)}
    assert told == {prefix + member.name: member.value for member in enum}
