# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The lifecycle node `livevlm`: cameras in, `ask` and `ask_stream` out.

| transition | does |
|---|---|
| configure | loads the model, makes or restores its memory; `ask` answers STATUS_NOT_ACTIVE |
| activate | starts the engine and subscribes to the cameras |
| deactivate | unsubscribes, stops the engine, saves if asked to; model and memory stay |
| cleanup | forgets model and memory |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial, wraps
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from livevlm_ros.engine.horizon import size
from livevlm_ros.engine.messages import Frame, Status
from livevlm_ros.node import declaration, heap
from livevlm_ros.node.annotated import Annotated
from livevlm_ros.node.answers import Answers
from livevlm_ros.node.ask_service import AskService, Door
from livevlm_ros.node.ask_stream import AskStream
from livevlm_ros.node.camera_parameters import camera_parameters
from livevlm_ros.node.cameras import Camera, CameraSettings
from livevlm_ros.node.diagnostics import Lifecycle
from livevlm_ros.node.events import EventTeller
from livevlm_ros.node.info_service import InfoService
from livevlm_ros.node.linking import link_torch
from livevlm_ros.node.loading import Abandoned, Loading
from livevlm_ros.node.log import RosLog
from livevlm_ros.node.memory_actions import MemoryActions
from livevlm_ros.node.memory_services import MemoryServices
from livevlm_ros.node.parameters import PARAMETERS, Values, check_cameras, table
from livevlm_ros.node.pose_settings import PoseSettings
from livevlm_ros.node.poses import PoseReport, Poses
from livevlm_ros.node.recall_service import RecallService
from livevlm_ros.node.reporter import Reporter
from livevlm_ros.node.transitions import STATES, answer_every_request, label_after
from livevlm_ros.node.watches import WatchServices
from livevlm_ros.weights import on_disk

LOOK_S = 0.5  # between two looks for publishers of cameras with transport auto
OTHER_THREADS = 8  # beside those that wait with a question
STOP_S = 10.0  # for a step or a token to end, at deactivate
CLOSE_S = 2.0  # the same, when the process ends anyway

EngineMaker = Callable[[Values, Callable[[str], None]], Any]


def load_engine(parameters: Values, stage: Callable[[str], None]) -> Any:
    """Load an engine for these parameters; calls `stage` with the name of each stage."""
    stage('importing torch')
    link_torch()
    with heap.spare_collections():
        from livevlm_ros.engine import Engine
        from livevlm_ros.node.parameters import engine_config

    engine = Engine(engine_config(parameters))
    engine.load(progress=lambda name, share: stage(f'{name} {share:.0%}'))
    return engine


OnTransition = Callable[['LiveVlmNode', LifecycleState], TransitionCallbackReturn]


def told(on_transition: OnTransition) -> OnTransition:
    """
    Let what a transition raises be told and the transition fail; rclpy would swallow it.

    Keeps the label of the state, which rclpy has no public way to ask for.
    """

    @wraps(on_transition)
    def run(node: LiveVlmNode, state: LifecycleState) -> TransitionCallbackReturn:
        name = on_transition.__name__.removeprefix('on_')
        if name != 'error':  # which comes of a problem
            node._problem = ''
        node._label = STATES[name][0]
        try:
            result = on_transition(node, state)
        except Exception as error:
            result = node._fail(name, error)
        node._label = label_after(name, result, before=state.label)
        return result

    return run


class LiveVlmNode(LifecycleNodeMixin, Node):
    """The node. Callbacks only hand over; the engine's thread does the work."""

    # rclpy destroys a node that is half made, too, when its parameters are refused
    _stream: AskStream | None = None
    _snapshots: MemoryActions | None = None

    def __init__(self, *, make_engine: EngineMaker = load_engine, **node_options: Any) -> None:
        """
        Create the node, unconfigured, with its service, diagnostics and parameters.

        :param make_engine: loads the engine at configure
        :raises ValueError: for a parameter that is not allowed
        """
        Node.__init__(self, 'livevlm', enable_logger_service=True, **node_options)
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        answer_every_request(self)
        self._label = 'unconfigured'
        self._make_engine = make_engine
        self._engine: Any = None
        self._cameras: list[Camera] = []
        self._poses = Poses(self, PoseSettings())
        self._loading: Loading | None = None
        self._problem = ''
        self._door = Door()
        self._log = RosLog(self)

        self._rows = self._declare()
        self.add_pre_set_parameters_callback(partial(declaration.with_floats, self._rows))
        self._ask = AskService(self, self._door, self.values, Answers(self).record)
        self._stream = AskStream(self, self._ask.answer)
        self._ask.set_introspection(str(self.values()['ask.introspection']))
        self._recall = RecallService(self, self._door, self.values)
        self._memory = MemoryServices(self, self._door, self.engine)
        self._snapshots = MemoryActions(self, self._door, self.engine)
        self._info = InfoService(self, self.engine, self.values)
        self.add_on_set_parameters_callback(self._review)
        self.add_post_set_parameters_callback(self._apply)

        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._reporter = Reporter(self, self, clock=steady)
        self._events = EventTeller(self, self, clock=steady)
        self._watches = WatchServices(self, self._door, self.engine, self.values, clock=steady)
        self._annotated = Annotated(self, self, clock=steady)
        self._look = self.create_timer(
            LOOK_S, self._look_for_cameras, MutuallyExclusiveCallbackGroup(), clock=steady
        )
        self._autostart = self.create_timer(
            0.0, self._start_by_itself, MutuallyExclusiveCallbackGroup(), clock=steady
        )

    # What others ask of the node.

    def values(self) -> dict[str, Any]:
        """Return every parameter's value now."""
        return declaration.values(self, self._rows)

    def state(self) -> Lifecycle:
        """Return the lifecycle state, with what is being loaded and what went wrong."""
        loading = self._loading
        return Lifecycle(
            label=self._label,
            loading=loading.describe() if loading else '',
            problem=self._problem,
        )

    def engine(self) -> Any:
        """Return the engine, or None while the node is unconfigured."""
        return self._engine

    def cameras(self) -> list[Camera]:
        """Return the cameras; empty while the node is unconfigured."""
        return list(self._cameras)

    def poses(self) -> PoseReport | None:
        """Return how many frames have a pose; None without a source of poses."""
        return self._poses.report()

    def refused(self) -> Mapping[Status, int]:
        """Return the replies that the engine has not seen, by status."""
        return self._ask.refused()

    def threads(self) -> int:
        """Return how many threads the executor needs, so that questions block no one else."""
        values = self.values()
        waiting = 2 * int(values['ask.queue_size'])  # half of them were told to come back
        return waiting + 1 + len(values['camera_names']) + OTHER_THREADS

    def close(self) -> bool:
        """Stop everything, from any state; return False if a load or a step still runs."""
        loading = self._loading
        if loading is not None:
            loading.abandon()
        stopped = self._stop('the node is closing', timeout_s=CLOSE_S)
        self._log.close()
        return stopped and (loading is None or not loading.alive)

    def destroy_node(self) -> None:
        """Destroy the node with its action servers; nothing is logged by it any more."""
        self._log.close()
        for server in (self._stream, self._snapshots):
            if server is not None:
                server.destroy()
        super().destroy_node()

    # Transitions.

    @told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and make its memory."""
        values = self.values()
        cameras = [
            Camera(self, settings, self._see, self._turn_away)
            for settings in camera_settings(values)
        ]
        poses = Poses(self, PoseSettings.of(values))
        self._door.closed_because = 'the model is loading'
        path, device = values['model.path'], values['model.device']
        self.get_logger().info(f'loading model {path} ({on_disk(path)}) for {device}')
        loading = self._loading = Loading(lambda stage: self._make_engine(values, stage))
        try:
            self._engine = loading.wait()
        except Abandoned:
            return TransitionCallbackReturn.FAILURE
        finally:
            if not loading.alive:
                self._loading = None
        self._cameras, self._poses = cameras, poses
        self._door.closed_because = 'the node is inactive: activate it'
        self._tell_configured(loading.took_s)
        return super().on_configure(state)

    @told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the engine and subscribe."""
        try:
            self._engine.start()
            self._poses.start()
            for camera in self._cameras:
                camera.start()
        except Exception:
            self._stop('activation failed')
            raise
        self._door.engine = self._engine
        self.get_logger().info('active: ask away')
        return super().on_activate(state)

    @told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop the engine; its memory stays."""
        self._stop('the node is inactive: activate it')
        return super().on_deactivate(state)

    @told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget model and memory."""
        self._forget()
        self._door.closed_because = 'the node is unconfigured'
        return super().on_cleanup(state)

    @told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and forget."""
        self._stop('the node is shut down')
        self._forget()
        return super().on_shutdown(state)

    @told
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to unconfigured."""
        self._stop('the node is unconfigured after an error')
        self._forget()
        return TransitionCallbackReturn.SUCCESS

    def _tell_configured(self, took_s: float) -> None:
        """Log what was loaded, and how long everything is kept."""
        stats, logger = self._engine.stats(), self.get_logger()
        told = [f'configured: the model is ready after {took_s:.1f} s']
        if stats.model is not None:
            told.append(f'{size(stats.model.weight_bytes)} of weights in {stats.model.weights}')
        logger.info(', '.join(told))
        if stats.horizon is not None and stats.horizon.advice:
            logger.warning(f'{stats.horizon.text}; {stats.horizon.advice}')
        elif stats.horizon is not None:
            logger.info(stats.horizon.text)

    def _fail(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        self._problem = f'{transition} failed: {str(error) or repr(error)}'
        self._door.closed_because = self._problem
        self.get_logger().error(self._problem)
        return TransitionCallbackReturn.FAILURE

    def _see(self, frame: Frame) -> None:
        self._engine.see(self._poses.with_pose(frame))

    def _turn_away(self, camera: str, why: str) -> None:
        self._engine.turn_away(camera, why)

    def _stop(self, because: str, *, timeout_s: float = STOP_S) -> bool:
        """Return False if the engine is still in a step after that time; it ends after it."""
        self._door.engine = None
        self._door.closed_because = because
        for camera in self._cameras:
            camera.stop()
        self._poses.stop()
        stopped = self._engine is None or bool(self._engine.stop(timeout_s))
        if not stopped and self.values()['memory.snapshot']:
            self.get_logger().warning(
                'the memory was not saved: the engine had not ended its step after '
                f'{timeout_s:g} s'
            )
        return stopped

    def _forget(self) -> None:
        """Give back model and memory; RuntimeError while the engine is still in a long step."""
        if self._engine is not None:
            self._engine.cleanup()
        self._cameras, self._poses = [], Poses(self, PoseSettings())
        self._engine = None
        heap.give_back()

    # Timers and parameters.

    def _start_by_itself(self) -> None:
        self._autostart.cancel()
        if not self.values()['autostart']:
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _look_for_cameras(self) -> None:
        try:
            for camera in self._cameras:
                camera.look()
        except Exception as error:
            self.get_logger().error(f'looking for cameras: {error!r}', throttle_duration_sec=5)

    def _declare(self) -> dict[str, Any]:
        declaration.refuse_renamed(self)
        declaration.declare(self, PARAMETERS)
        cameras = list(self.get_parameter('camera_names').value)
        check_cameras(cameras)
        for camera in cameras:
            declaration.declare(self, camera_parameters(camera))
        known = table(cameras)
        for name in declaration.unknown(self):
            near = get_close_matches(name, known, n=1)
            meant = f'; did you mean {near[0]}?' if near else ''
            self.get_logger().warning(f'parameter {name} is not known and has no effect{meant}')
        return known

    def _review(self, changed: Sequence[RosParameter[Any]]) -> SetParametersResult:
        configured = self.state().label != 'unconfigured'
        return declaration.review(
            self._rows, changed, present=self.values(), configured=configured
        )

    def _apply(self, changed: Sequence[RosParameter[Any]]) -> None:
        for parameter in changed:
            if parameter.name == 'ask.introspection':
                self._ask.set_introspection(parameter.value)


def camera_settings(values: Values) -> list[CameraSettings]:
    """Return each camera as the parameters describe it."""
    return [
        CameraSettings(
            name,
            str(values[f'cameras.{name}.topic']),
            str(values[f'cameras.{name}.transport']),
            int(values[f'cameras.{name}.bits']),
        )
        for name in values['camera_names']
    ]
