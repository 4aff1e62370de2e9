# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The MCP server: an agent's tools and resources over a camera memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from inspect import getdoc
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations

from livevlm_ros import __version__
from livevlm_ros.tools.agent_tools import AgentTools
from livevlm_ros.tools.camera_memory import CameraMemory

INSTRUCTIONS = """\
The memory of a robot's cameras. `where` finds things, `ask` answers questions, `recall` shows \
frames. Times are header stamps in seconds; `status` says which cameras and times there are.\
"""

LOOKING = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WATCHING = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
FORGETTING = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)


def agent_server(memory: CameraMemory) -> MCPServer:
    """Make the server."""
    tools = AgentTools(memory)
    looking = (tools.where, tools.ask, tools.recall, tools.timeline, tools.status)
    server = MCPServer(
        'livevlm',
        title="A robot's camera memory",
        instructions=INSTRUCTIONS,
        version=__version__,
        tools=[
            *(_strict(tool, LOOKING) for tool in looking),
            _strict(tools.watch, WATCHING),
            _strict(tools.forget, FORGETTING),
        ],
        log_level='WARNING',
    )
    server.resource(
        'livevlm://frame/{key}',
        name='frame',
        description='Picture of a frame that a tool named.',
        mime_type='image/jpeg',
    )(tools.frame)
    return server


def serve_stdio(memory: CameraMemory) -> None:
    """
    Speak over stdin and stdout until stdin ends, or until Ctrl-C.

    The server has a thread of its own, left behind after Ctrl-C: nothing ends its read of stdin.
    """
    serving = threading.Thread(target=agent_server(memory).run, args=('stdio',), daemon=True)
    serving.start()
    serving.join()


def _strict(function: Callable[..., Any], annotations: ToolAnnotations) -> Tool:
    """Make a tool that refuses arguments it does not know, where the library passes them over."""
    tool = Tool.from_function(function, description=getdoc(function), annotations=annotations)
    arguments = tool.fn_metadata.arg_model
    arguments.model_config['extra'] = 'forbid'
    arguments.model_rebuild(force=True)
    tool.parameters = arguments.model_json_schema(by_alias=True)
    return tool
