# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the livevlm node on a camera topic, with a camera driver or without."""

import os
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription

CONFIG = Path(__file__).parent.parent / 'config'
DDS_PROFILE = 'FASTDDS_DEFAULT_PROFILES_FILE'
DEFAULT_IMAGE = 'camera/image_raw'
# Launch argument -> parameter of the node; an empty argument leaves it to the parameter file.
OVERRIDES = {
    'image_topic': 'cameras.camera.topic',
    'model': 'model.path',
    'device': 'model.device',
    'preset': 'memory.preset',
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; `ros2 launch livevlm_ros camera.launch.py --show-args` lists them."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'params_file',
                default_value=str(CONFIG / 'livevlm.yaml'),
                description='Parameters of the node; the installed file explains each.',
            ),
            DeclareLaunchArgument(
                'namespace',
                default_value='',
                description='Namespace of the node, its camera driver and /ask.',
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='false',
                choices=['true', 'false'],
                description='Take the time from /clock, as with a bag or a simulator.',
            ),
            DeclareLaunchArgument(
                'image_topic',
                default_value='',
                description='Image topic of the camera named "camera"; compressed images are '
                f'found at <image_topic>/compressed. Empty: the parameter file ({DEFAULT_IMAGE}).',
            ),
            DeclareLaunchArgument(
                'camera_driver',
                default_value='none',
                choices=['none', 'world', 'v4l2'],
                description='none: images come from elsewhere. world: the simulated driving '
                'camera. v4l2: a USB camera, by the package v4l2_camera.',
            ),
            DeclareLaunchArgument(
                'model',
                default_value='',
                description='embedded, a checkpoint folder or a hub name. Empty: parameter file.',
            ),
            DeclareLaunchArgument(
                'device',
                default_value='',
                description='cpu, cuda or cuda:N. Empty: parameter file.',
            ),
            DeclareLaunchArgument(
                'preset',
                default_value='',
                choices=['', 'recent', 'full', 'rekv', 'livevlm', 'balanced'],
                description='What the memory gives up. Empty: parameter file.',
            ),
            DeclareLaunchArgument(
                'web',
                default_value='false',
                choices=['true', 'false'],
                description='Serve a page of cameras, memory and answers to browsers on this '
                'machine; the console says where.',
            ),
            DeclareLaunchArgument(
                'log_level',
                default_value='info',
                choices=['debug', 'info', 'warn', 'error', 'fatal'],
                description='Least severity that the node logs.',
            ),
            SetEnvironmentVariable(
                DDS_PROFILE,
                EnvironmentVariable(DDS_PROFILE, default_value=str(CONFIG / 'fastdds.xml')),
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list[Node]:
    """
    Make the nodes that the arguments ask for.

    :raises RuntimeError: before any is started, for what is not there
    """

    def given(argument: str) -> str:
        return str(LaunchConfiguration(argument).perform(context))

    if not Path(given('params_file')).is_file():
        raise RuntimeError(f'params_file is {given("params_file")!r}, expected a file')
    namespace = given('namespace')
    clock = {'use_sim_time': given('use_sim_time') == 'true'}
    overrides = {
        parameter: ParameterValue(given(argument), value_type=str)
        for argument, parameter in OVERRIDES.items()
        if given(argument)
    }
    node = LifecycleNode(
        package='livevlm_ros',
        executable='livevlm_node',
        name='livevlm',
        namespace=namespace,
        parameters=[given('params_file'), clock, overrides],
        ros_arguments=['--log-level', given('log_level')],
        output='screen',
        emulate_tty=True,
        on_exit=end,
    )
    image = given('image_topic') or DEFAULT_IMAGE
    driver = given('camera_driver')
    beside = [page(namespace)] if given('web') == 'true' else []
    if driver == 'world':
        return [node, world_camera(namespace, image, clock), *beside]
    if driver == 'v4l2':
        return [node, v4l2_camera(namespace, image, clock), *beside]
    return [node, *beside]


def end(event: Any, context: LaunchContext) -> list[Shutdown]:
    """End with a process; launch exits with 1 only when an error comes out of it."""
    if event.returncode:
        raise RuntimeError(f'{event.process_name} exited with {event.returncode}')
    ending = context.is_shutdown  # all processes end then
    return [] if ending else [Shutdown(reason=f'{event.process_name} has ended')]


def page(namespace: str) -> Node:
    """Make the server of the page; when it ends the node goes on."""
    return Node(
        package='livevlm_ros',
        executable='livevlm',
        arguments=['view', '--namespace', namespace],
        output='screen',
        emulate_tty=True,
    )


def world_camera(namespace: str, image: str, clock: dict[str, bool]) -> Node:
    """Make the simulated driving camera."""
    return Node(
        package='livevlm_ros',
        executable='world_camera',
        name='world_camera',
        namespace=namespace,
        parameters=[clock, {'topic': ParameterValue(image, value_type=str)}],
        output='screen',
        emulate_tty=True,
        on_exit=end,
    )


def v4l2_camera(namespace: str, image: str, clock: dict[str, bool]) -> Node:
    """
    Make the driver of a USB camera; it comes back when the cable does.

    :raises RuntimeError: when it is not installed
    """
    try:
        get_package_prefix('v4l2_camera')
    except PackageNotFoundError as error:
        distro = os.environ.get('ROS_DISTRO', '$ROS_DISTRO')
        raise RuntimeError(
            'camera_driver:=v4l2 needs the package v4l2_camera: '
            f'sudo apt install ros-{distro}-v4l2-camera'
        ) from error
    return Node(
        package='v4l2_camera',
        executable='v4l2_camera_node',
        name='v4l2_camera',
        namespace=namespace,
        parameters=[clock],
        remappings=[
            ('image_raw', image),
            ('image_raw/compressed', f'{image}/compressed'),
            ('camera_info', f'{image[: image.rfind("/") + 1]}camera_info'),
        ],
        respawn=True,
        respawn_delay=2.0,
        output='screen',
        emulate_tty=True,
    )
