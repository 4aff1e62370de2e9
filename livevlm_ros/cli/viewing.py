# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that serves the page."""

from typing import Annotated

import typer

from livevlm_ros.terminal import refuse


def view(
    host: Annotated[
        str, typer.Option(help='Address to listen on; 0.0.0.0 lets other machines look.')
    ] = 'localhost',
    port: Annotated[
        int, typer.Option(min=0, max=65535, help='Port to listen on; 0: any free one.')
    ] = 8095,
    namespace: Annotated[str, typer.Option(help='Namespace of the node.')] = '',
) -> None:
    """
    Serve a page to look at a running node's cameras and memory, and to ask it, until Ctrl-C.

    The page's address is printed. Where other machines may look, it holds a token.
    """
    from livevlm_ros.replay.errors import BadInput
    from livevlm_ros.tools.view.server import serve

    try:
        serve(host=host, port=port, namespace=namespace, say=lambda line: print(line, flush=True))
    except BadInput as error:
        refuse(f'view: {error}')
