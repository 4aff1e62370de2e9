# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from livevlm_interfaces.msg import MemoryState
from livevlm_ros.engine.stats import ModelStats
from livevlm_ros.node.client import Client
from livevlm_ros.node.diagnostics import ERROR, OK, STALE, WARN

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


def test_the_lifecycle_goes_round(
    live_node: Any, fake_engine: Any, lifecycle: Any, eventually: Callable[..., Any]
) -> None:
    node = live_node()
    assert lifecycle.state() == 'unconfigured'
    assert lifecycle.change(Transition.TRANSITION_CONFIGURE)
    assert node.count_subscribers('/camera/image_raw') == 0
    assert lifecycle.change(Transition.TRANSITION_ACTIVATE)
    assert lifecycle.state() == 'active'
    assert lifecycle.change(Transition.TRANSITION_DEACTIVATE)
    assert lifecycle.change(Transition.TRANSITION_ACTIVATE)
    assert lifecycle.change(Transition.TRANSITION_DEACTIVATE)
    assert lifecycle.change(Transition.TRANSITION_CLEANUP)
    assert lifecycle.state() == 'unconfigured'
    assert fake_engine.calls == ['start', 'stop', 'start', 'stop', 'cleanup']
    assert node.engine() is None
    assert lifecycle.change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert lifecycle.state() == 'finalized'


def test_an_active_node_can_be_shut_down(live_node: Any, fake_engine: Any, lifecycle: Any) -> None:
    node = live_node()
    node.trigger_configure()
    node.trigger_activate()
    assert lifecycle.change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert lifecycle.state() == 'finalized'
    assert fake_engine.calls == ['start', 'stop', 'cleanup']


@pytest.mark.parametrize('snapshot', [True, False])
def test_a_memory_that_is_not_saved_for_a_long_step_is_told(
    live_node: Any,
    fake_engine: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: bool,
) -> None:
    node = live_node({'memory.snapshot': snapshot, 'memory.path': str(tmp_path)})
    told: list[str] = []
    monkeypatch.setattr(node.get_logger(), 'warning', lambda text, **_: told.append(text))
    node.trigger_configure()
    node.trigger_activate()
    fake_engine.stop = lambda timeout_s: False
    node.trigger_deactivate()
    assert node.close() is False
    fake_engine.stop = lambda timeout_s: True
    because = 'the memory was not saved: the engine had not ended its step after'
    assert told == ([f'{because} 10 s', f'{because} 2 s'] if snapshot else [])


def test_images_reach_the_engine_only_while_active(
    ros: Any, live_node: Any, fake_engine: Any, eventually: Callable[..., Any]
) -> None:
    node = live_node({'cameras.camera.topic': 'usb/image_raw'})
    publisher = ros.node('driver').create_publisher(Image, '/usb/image_raw', 1)
    message = Image(height=1, width=1, encoding='mono8', step=1, data=b'\x05')
    message.header.stamp.sec = 1
    node.trigger_configure()
    node.trigger_activate()

    def came() -> bool:
        publisher.publish(message)
        return fake_engine.seen.is_set()

    eventually(came)
    node.trigger_deactivate()
    eventually(lambda: publisher.get_subscription_count() == 0)


def test_a_matched_publisher_that_is_never_heard_is_an_error_that_names_the_dds_profile(
    ros: Any, live_node: Any, client: Client
) -> None:
    ros.node('driver').create_publisher(Image, '/camera/image_raw', 1)
    live_node({'autostart': True, 'diagnostics.period': 0.2})
    assert client.wait_for_status('camera/camera', ERROR, 60)
    assert 'no image for' in client.status('camera/camera').message
    assert 'fastdds.xml' in client.status('camera/camera').message


def test_a_camera_without_publisher_is_a_warning_that_names_the_topics(
    live_node: Any, client: Client
) -> None:
    live_node({'autostart': True})
    assert client.wait_for_status('camera/camera', WARN, 60)
    expected = 'no publisher on /camera/image_raw or /camera/image_raw/compressed: start'
    assert client.status('camera/camera').message.startswith(expected)


def test_an_optional_camera_may_be_missing_until_it_is_not_optional(
    live_node: Any, client: Client
) -> None:
    node = live_node(
        {'autostart': True, 'cameras.camera.optional': True, 'diagnostics.period': 0.1}
    )
    assert client.wait_for_status('camera/camera', OK, 60)
    expected = 'optional, and missing: no publisher on /camera/image_raw'
    assert client.status('camera/camera').message.startswith(expected)
    assert node.set_parameters([Parameter('cameras.camera.optional', value=False)])[0].successful
    assert client.wait_for_status('camera/camera', WARN, 60)


def test_a_camera_that_sends_fewer_images_than_expected_is_a_warning(
    ros: Any, live_node: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('livevlm_ros.node.camera_verdict.COUNTED_S', 0.5)
    node = live_node({'autostart': True, 'diagnostics.period': 0.1})
    driver = ros.node('driver')
    publisher = driver.create_publisher(Image, '/camera/image_raw', 1)

    def publish() -> None:
        message = Image(height=1, width=1, encoding='mono8', step=1, data=b'\x05')
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)

    driver.create_timer(0.1, publish)
    assert client.wait_for_status('camera/camera', OK, 60)
    rate = Parameter('cameras.camera.expected_rate', value=100.0)
    assert node.set_parameters([rate])[0].successful
    assert client.wait_for_status('camera/camera', WARN, 60)
    assert client.status('camera/camera').message.endswith('/camera/image_raw, expected 100')


def test_the_console_tells_of_the_load_and_of_a_camera_that_is_not_there(
    live_node: Any,
    fake_engine: Any,
    eventually: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    types = 'float32, its language layers in int8'
    model = ModelStats('tiny', 'float32', types, 14_000_000, 'cpu', 9_000_000, 1.5, {}, {})
    stats = replace(fake_engine.stats(), model=model)
    monkeypatch.setattr(fake_engine, 'stats', lambda: stats)
    monkeypatch.setattr('livevlm_ros.node.console.LASTING_S', 0.5)
    told: list[str] = []
    node = live_node({'diagnostics.period': 0.1})
    for level in ('info', 'warning'):
        monkeypatch.setattr(node.get_logger(), level, lambda text, **_: told.append(text))
    node.trigger_configure()
    assert re.fullmatch(r'loading model embedded \(\d+\.\d MB on disk\) for cpu', told[0])
    configured = r'configured: the model is ready after \d+\.\d s, 14 MB of weights in '
    assert re.fullmatch(configured + types, told[1])
    node.trigger_activate()
    eventually(lambda: len(told) > 3)
    assert told[3].startswith('camera/camera: no publisher on /camera/image_raw')
    node.trigger_deactivate()
    assert len(told) == 4


def test_a_simulated_clock_that_never_comes_is_an_error_until_it_does(
    ros: Any, live_node: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('livevlm_ros.node.diagnostics.STILL_S', 0.5)
    live_node({'use_sim_time': True, 'diagnostics.period': 0.1})
    assert client.wait_for_status('clock', ERROR, 60)
    assert 'nothing has come on /clock' in client.status('clock').message
    player = ros.node('player')
    publisher = player.create_publisher(Clock, '/clock', 10)
    player.create_timer(0.1, lambda: publisher.publish(Clock(clock=Time(sec=7))))
    assert client.wait_for_status('clock', OK, 60)


@pytest.mark.parametrize(('advice', 'level'), [('', 'info'), ('raise it', 'warning')])
def test_how_long_everything_is_kept_is_logged_at_configure(
    live_node: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch, advice: str, level: str
) -> None:
    horizon = SimpleNamespace(text='kept for 3 min', advice=advice)
    stats = replace(fake_engine.stats(), horizon=horizon)
    fake_engine.stats = lambda: stats
    node = live_node()
    told: list[str] = []
    monkeypatch.setattr(node.get_logger(), level, lambda text, **_: told.append(text))
    node.trigger_configure()
    assert told[-1] == ('kept for 3 min; raise it' if advice else 'kept for 3 min')


def test_a_model_that_cannot_be_loaded_leaves_a_node_that_says_why(
    live_node: Any, client: Client
) -> None:
    def broken(values: Any, stage: Any) -> Any:
        raise ValueError('model.safetensors is missing')

    node = live_node(make_engine=broken)
    assert node.trigger_configure() == FAILURE
    assert node.state().label == 'unconfigured'
    assert client.wait_for_server(60)
    response = client.send('what was there ?').wait(60)
    assert 'model.safetensors is missing' in response.status_message
    assert client.wait_for_status('model', ERROR, 60)
    assert 'model.safetensors is missing' in client.status('model').message


def test_a_topic_that_is_no_name_fails_configure_before_the_model_is_loaded(
    live_node: Any, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    loads: list[Any] = []
    topic = {'cameras.camera.topic': 'front camera/image_raw'}
    node = live_node(topic, make_engine=lambda values, stage: loads.append(values))
    assert node.trigger_configure() == FAILURE
    assert node.state().label == 'unconfigured'
    assert not loads
    problem = (
        "configure failed: cameras.camera.topic is 'front camera/image_raw', expected the name"
    )
    assert problem in capfd.readouterr().err
    assert client.wait_for_status('model', ERROR, 60)
    assert 'front camera/image_raw' in client.status('model').message
    assert 'front camera' in client.send('what was there ?').wait(60).status_message


@pytest.mark.parametrize(
    ('transitions', 'call', 'label'),
    [
        (['configure', 'activate'], 'start', 'inactive'),
        (['configure', 'activate', 'deactivate'], 'stop', 'active'),
        (['configure', 'cleanup'], 'cleanup', 'inactive'),
        (['configure', 'shutdown'], 'cleanup', 'finalized'),
        (['configure', 'activate', 'shutdown'], 'stop', 'finalized'),
    ],
)
def test_what_a_transition_raises_is_told_in_log_diagnostics_and_replies(
    live_node: Any,
    fake_engine: Any,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    transitions: list[str],
    call: str,
    label: str,
) -> None:
    def broken(*given: Any) -> None:
        raise OSError('the device is lost')

    node = live_node()
    *before, last = (getattr(node, f'trigger_{transition}') for transition in transitions)
    assert [trigger() for trigger in before] == [SUCCESS] * len(before)
    with monkeypatch.context() as patch:
        patch.setattr(fake_engine, call, broken)
        assert last() == FAILURE
    assert node.state().label == label
    problem = f'{transitions[-1]} failed: the device is lost'
    assert problem in capfd.readouterr().err
    assert client.wait_for_status('model', ERROR, 60)
    assert client.status('model').message == problem
    assert client.send('what was there ?').wait(60).status_message == problem
    if label != 'finalized':
        assert last() == SUCCESS
        assert node.state().problem == ''


def test_an_error_on_the_way_back_from_an_error_is_told(
    live_node: Any, fake_engine: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*given: Any) -> None:
        raise RuntimeError

    node = live_node()
    node.trigger_configure()
    fake_engine.cleanup = broken
    assert node.on_error(LifecycleState('errorprocessing', 15)) == FAILURE
    assert 'error failed: RuntimeError()' in capfd.readouterr().err
    assert node.state().problem == 'error failed: RuntimeError()'


def test_the_node_lives_while_the_model_loads(
    live_node: Any, fake_engine: Any, client: Client, lifecycle: Any
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(values: Any, stage: Any) -> Any:
        stage('weights 40%')
        entered.set()
        go_on.wait(60)
        return fake_engine

    node = live_node({'diagnostics.period': 0.1}, make_engine=slow)
    threading.Thread(target=node.trigger_configure, daemon=True).start()
    assert entered.wait(60)
    assert client.wait_for_status('model', WARN, 60)
    assert 'weights 40%' in client.status('model').message
    assert lifecycle.state() == 'configuring'
    assert not lifecycle.change(Transition.TRANSITION_CONFIGURE)
    assert 'loading' in client.send('what was there ?').wait(60).status_message
    go_on.set()
    assert client.wait_for_status('ingest', STALE, 60)


def test_a_node_starts_by_itself_unless_told_not_to(live_node: Any, client: Client) -> None:
    live_node({'autostart': True})
    assert client.wait_for_status('ingest', OK, 60)


def test_closing_in_the_middle_of_a_load_says_that_it_is_left_behind(live_node: Any) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def endless(values: Any, stage: Any) -> Any:
        entered.set()
        go_on.wait(60)

    node = live_node(make_engine=endless)
    configuring = threading.Thread(target=node.trigger_configure, daemon=True)
    configuring.start()
    assert entered.wait(60)
    assert node.close() is False
    configuring.join(10)
    assert not configuring.is_alive()
    go_on.set()


@pytest.mark.usefixtures('needs_torch')
def test_the_memory_state_is_latched_and_tells_of_each_camera(
    ros: Any, live_node: Any, fake_engine: Any, eventually: Callable[..., Any]
) -> None:
    from livevlm_ros.memory import MemorySizes, RecallCounts

    stats = fake_engine.stats()
    nothing = dict.fromkeys(MemorySizes.__slots__, 0)
    stamps = {'oldest_stamp_ns': 2_000_000_000, 'short_term_oldest_ns': 7_000_000_000}
    held = {'short_term_frames': 3, 'device_bytes': 9, 'long_term_capacity': 621, **stamps}
    sizes = MemorySizes(**nothing | held | {'recall': RecallCounts()})
    fake_engine.stats = lambda: replace(stats, memory=sizes, memory_id='m-0')
    node = live_node({'diagnostics.period': 0.1})
    node.trigger_configure()
    states: list[MemoryState] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    ros.node('late').create_subscription(
        MemoryState, '/livevlm/memory_state', states.append, latched
    )
    eventually(lambda: states)
    assert states[0].preset == 'balanced'
    assert (states[0].short_term_frames, states[0].device_bytes) == (3, 9)
    assert (states[0].oldest.sec, states[0].short_term_oldest.sec) == (2, 7)
    assert states[0].long_term_capacity == 621
    assert states[0].memory_id == 'm-0' and not states[0].paused
    assert states[0].cameras[0].name == 'camera'
    assert not states[0].cameras[0].alive


def test_service_introspection_follows_its_parameter(
    ros: Any, live_node: Any, client: Client, eventually: Callable[..., Any]
) -> None:
    node = live_node({'ask.introspection': 'contents'})
    eventually(lambda: node.count_publishers('/ask/_service_event') == 1)
    assert client.wait_for_server(60)
    events: list[Any] = []
    from livevlm_interfaces.srv import Ask

    ros.node('spy').create_subscription(Ask.Event, '/ask/_service_event', events.append, 10)
    eventually(lambda: node.count_subscribers('/ask/_service_event') == 1)
    eventually(lambda: client.send('who is there ?').wait(60) and events)
    assert any(e.request and e.request[0].question == 'who is there ?' for e in events)
