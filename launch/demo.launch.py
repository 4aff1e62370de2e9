# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""See it work without a camera: the node remembers every frame of the simulated driving camera."""

from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription

CAMERA = Path(__file__).with_name('camera.launch.py')
IMAGES_PER_SECOND = 10.0


def generate_launch_description() -> LaunchDescription:
    """Declare the world's arguments, and those of camera.launch.py that the demo chooses."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'seed', default_value='7', description='Which world the camera drives through.'
            ),
            DeclareLaunchArgument(
                'speed',
                default_value='10.0',
                description='World seconds per second; /clock tells the world time.',
            ),
            DeclareLaunchArgument(
                'image_topic',
                default_value='camera/image_raw',
                description='Image topic of the world camera, which the node listens to.',
            ),
            DeclareLaunchArgument(
                'preset',
                default_value='balanced',
                choices=['recent', 'full', 'rekv', 'livevlm', 'balanced'],
                description='What the memory gives up.',
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='true',
                choices=['true'],
                description='Fixed: the world camera tells the time on /clock.',
            ),
            DeclareLaunchArgument(
                'camera_driver',
                default_value='none',
                choices=['none'],
                description='Fixed: the demo starts its own world camera.',
            ),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(CAMERA))),
            Node(
                package='livevlm_ros',
                executable='world_camera',
                name='world_camera',
                namespace=LaunchConfiguration('namespace'),
                parameters=[
                    {
                        'rate': IMAGES_PER_SECOND,
                        'publish_clock': True,
                        'topic': ParameterValue(
                            LaunchConfiguration('image_topic'), value_type=str
                        ),
                        'seed': ParameterValue(LaunchConfiguration('seed'), value_type=int),
                        'speed': ParameterValue(LaunchConfiguration('speed'), value_type=float),
                    }
                ],
                output='screen',
                emulate_tty=True,
                on_exit=end,
            ),
        ]
    )


def end(event: Any, context: LaunchContext) -> list[Shutdown]:
    """End with the camera; launch exits with 1 only when an error comes out of it."""
    if event.returncode:
        raise RuntimeError(f'the camera exited with {event.returncode}')
    ending = context.is_shutdown  # all processes end then
    return [] if ending else [Shutdown(reason='the camera has ended')]
