# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an agent is told of the server before it calls a tool."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip('mcp')

from livevlm_ros import __version__


def test_every_tool_says_what_it_does_to_the_memory_and_what_it_returns(using: Any) -> None:
    tools = {tool.name: tool for tool in using(lambda client: client.list_tools()).tools}
    assert [*tools] == ['where', 'ask', 'recall', 'timeline', 'status', 'watch', 'forget']
    changing = {name for name, tool in tools.items() if not tool.annotations.read_only_hint}
    assert changing == {'watch', 'forget'}
    assert tools['forget'].annotations.destructive_hint
    assert not tools['watch'].annotations.destructive_hint
    for tool in tools.values():
        assert tool.output_schema['type'] == 'object' and tool.description[0].isupper()
        assert tool.input_schema['additionalProperties'] is False
        assert '\n ' not in tool.description


def test_the_server_says_what_it_is_and_where_pictures_are(using: Any) -> None:
    async def looked(client: Any) -> tuple[Any, str, Any]:
        templates = await client.list_resource_templates()
        return client.server_info, client.instructions, templates.resource_templates

    info, instructions, (template,) = using(looked)
    assert (info.name, info.version) == ('livevlm', __version__)
    assert '`where` finds things' in instructions
    assert (template.uri_template, template.mime_type) == ('livevlm://frame/{key}', 'image/jpeg')
