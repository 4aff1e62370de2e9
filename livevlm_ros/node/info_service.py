# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The service `~/get_info`: what this node is, for programs that meet it for the first time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from livevlm_interfaces.srv import GetInfo
from livevlm_ros import __version__
from livevlm_ros.node.parameters import Values
from livevlm_ros.share import share_file

CAPABILITIES = ('ask', 'stream', 'choices', 'recall', 'timeline', 'clear', 'pause', 'watches')
SNAPSHOTS, POSES = 'snapshots', 'poses'


class InfoService:
    """Serves `~/get_info` in every state; before there is a model its fields are empty."""

    def __init__(
        self, node: Node, engine: Callable[[], Any], parameters: Callable[[], Values]
    ) -> None:
        """
        Create the service.

        :param engine: gives the engine, or None while there is none
        :param parameters: the node's parameter values now
        """
        self._engine, self._parameters = engine, parameters
        self._interface_version = _version_of('livevlm_interfaces')
        node.create_service(
            GetInfo,
            '~/get_info',
            self._on_get_info,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )

    def _on_get_info(self, request: Any, response: Any) -> Any:
        values, engine = self._parameters(), self._engine()
        response.interface_version, response.node_version = self._interface_version, __version__
        response.preset, response.cameras = values['memory.preset'], values['camera_names']
        with_path = (SNAPSHOTS,) if values['memory.path'] else ()
        with_source = (POSES,) if values['pose.source'] != 'none' else ()
        response.capabilities = [*CAPABILITIES, *with_path, *with_source]
        stats = engine.stats() if engine is not None else None
        if stats is not None and stats.model is not None:
            response.model_id, response.device = stats.model.model_id, stats.model.device
            response.memory_id, response.usual_budget = stats.memory_id, stats.usual_budget_s
            response.horizon = stats.horizon.text if stats.horizon is not None else ''
        return response


def _version_of(package: str) -> str:
    """Return the version that a package's manifest says."""
    manifest = ElementTree.parse(share_file('package.xml', package))
    return manifest.findtext('version', default='')
