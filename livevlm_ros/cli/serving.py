# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that serves the memory to agents and to programs that know the OpenAI protocol."""

from __future__ import annotations

import importlib.util
import math
import secrets
import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livevlm_ros.cli.options import MODEL_HELP, Duration, Fps, Settings, Start, Topic
from livevlm_ros.cli.sources import (
    Pace,
    engine_over,
    open_frames,
    refuse_stretch,
    remark,
    running_node,
)
from livevlm_ros.terminal import plain_errors, refuse

if TYPE_CHECKING:
    import socket

    from livevlm_ros.tools.camera_memory import CameraMemory

HOST, PORT = '127.0.0.1', 8741
TOKEN_VARIABLE = 'LIVEVLM_TOKEN'


def mcp(
    source: Annotated[
        Path | None, typer.Argument(help='A video or a bag; by default a running node.')
    ] = None,
    camera: Annotated[
        int | None, typer.Option(min=0, help="This machine's camera of that number.")
    ] = None,
    namespace: Annotated[str, typer.Option(help='Namespace of the node.')] = '',
    http: Annotated[
        bool, typer.Option('--http', help='Serve /mcp and /v1 over HTTP, in place of stdio.')
    ] = False,
    host: Annotated[str, typer.Option(help='Address to serve at.')] = HOST,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help='Port to serve at; 0: any free one.')
    ] = PORT,
    token: Annotated[
        str,
        typer.Option(
            envvar=TOKEN_VARIABLE,
            help='What HTTP clients must send; made where --host is not this machine alone.',
        ),
    ] = '',
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = 'embedded',
    topic: Topic = None,
    fps: Fps = 1.0,
    start: Start = 0.0,
    duration: Duration = math.inf,
    settings: Settings = None,
) -> None:
    """
    Serve the memory to agents: an MCP server over stdio, or over HTTP with chat completions.

    The memory is a running node's, or that of a recording, which is read in whole first.
    """
    if source is not None and camera is not None:
        refuse(f'SOURCE {source} and --camera {camera}: expected one of them')
    if namespace and (source is not None or camera is not None):
        refuse(
            f'--namespace {namespace}: expected for a running node, without SOURCE and --camera'
        )
    if source is None and camera is None:
        refuse_stretch(start, duration, 'with SOURCE or --camera')
    if (host, port) != (HOST, PORT) and not http:
        refuse(f'--host {host} --port {port}: expected with --http')
    if importlib.util.find_spec('mcp') is None:
        refuse("mcp: the MCP library is missing: pip install 'livevlm_ros[mcp]'")
    with plain_errors(), ExitStack() as ends:
        frames = None
        if source is not None or camera is not None:
            frames = open_frames(source, camera, topic)
        listening = None
        if http:
            from livevlm_ros.tools.listening import listen

            listening = ends.enter_context(listen(host, port))
        memory: CameraMemory
        if frames is None:
            memory = ends.enter_context(running_node(namespace, 'without SOURCE'))
        else:
            from livevlm_ros.replay.clip import Clip, Stretch

            pace = Pace.FULL if camera is None else Pace.LIVE
            clip = Clip(frames, Stretch(start, duration))
            over = engine_over(clip, model, fps, settings or (), pace, alone=True)
            memory = ends.enter_context(over)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
        with suppress(KeyboardInterrupt):
            if listening is None:
                from livevlm_ros.tools.agent_server import serve_stdio

                serve_stdio(memory)
            else:
                _serve(memory, listening, token)


def _serve(memory: CameraMemory, listening: socket.socket, token: str) -> None:
    """Serve over HTTP, and say where; to more than this machine only with a token."""
    from livevlm_ros.tools.http_server import http_app, serve
    from livevlm_ros.tools.listening import is_local

    host, port = listening.getsockname()[:2]
    if not is_local(host) and not token:
        token = secrets.token_urlsafe()
        remark(f'token: {token}')
    shown = f'[{host}]' if ':' in host else host
    remark(f'http://{shown}:{port}/mcp and /v1; Ctrl-C ends it')
    serve(http_app(memory, host=host, token=token), listening)
