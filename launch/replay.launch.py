# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Replay a bag to the node and ask its questions; ends with the report, non-zero on failure."""

from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription

CAMERA = Path(__file__).with_name('camera.launch.py')
CLOCK_LISTENERS = 2  # node and evaluator: the player waits for both
ARGUMENTS = {
    'questions': 'Questions file. Empty: the one beside the bag, named <bag>.questions.yaml.',
    'topic': 'Image topic in the bag. Empty: the only one.',
    'out': 'File for the report as JSON. Empty: none.',
    'html': 'File for the report as one page. Empty: none.',
}


def generate_launch_description() -> LaunchDescription:
    """Declare the replay's arguments, and those of camera.launch.py that it chooses."""
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='Bag folder, or its .mcap or .db3 file.'),
            *(
                DeclareLaunchArgument(name, default_value='', description=text)
                for name, text in ARGUMENTS.items()
            ),
            DeclareLaunchArgument(
                'rate',
                default_value='1.0',
                description='Bag seconds per second; above 1 frames may be dropped.',
            ),
            DeclareLaunchArgument(
                'start',
                default_value='0.0',
                description='Seconds from the first image to the first played.',
            ),
            DeclareLaunchArgument(
                'duration',
                default_value='0.0',
                description='Seconds played from there. 0: all.',
            ),
            DeclareLaunchArgument(
                'image_topic',
                default_value='camera/image_raw',
                description='Image topic of the player, which the node listens to.',
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='true',
                choices=['true'],
                description='Fixed: the player tells the time on /clock.',
            ),
            DeclareLaunchArgument(
                'camera_driver',
                default_value='none',
                choices=['none'],
                description='Fixed: the images come from the bag.',
            ),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(CAMERA))),
            Node(
                package='livevlm_ros',
                executable='bag_player',
                name='bag_player',
                namespace=LaunchConfiguration('namespace'),
                parameters=[
                    {
                        **texts('bag', 'topic', 'image_topic'),
                        **numbers('rate', 'start', 'duration'),
                        'wait_for_subscriber': True,
                        'clock_listeners': CLOCK_LISTENERS,
                    }
                ],
                output='screen',
                emulate_tty=True,
                on_exit=check,
            ),
            Node(
                package='livevlm_ros',
                executable='replay_evaluator',
                name='replay_evaluator',
                namespace=LaunchConfiguration('namespace'),
                parameters=[
                    {
                        **texts('bag', *ARGUMENTS),
                        **numbers('rate', 'start', 'duration'),
                    }
                ],
                output='screen',
                emulate_tty=True,
                on_exit=end,
            ),
        ]
    )


def texts(*arguments: str) -> dict[str, ParameterValue]:
    """Hand arguments on as parameters of the same name, as text even where they look like less."""
    return {name: ParameterValue(LaunchConfiguration(name), value_type=str) for name in arguments}


def numbers(*arguments: str) -> dict[str, ParameterValue]:
    """Hand arguments on as parameters of the same name, as numbers."""
    return {
        name: ParameterValue(LaunchConfiguration(name), value_type=float) for name in arguments
    }


def check(event: Any, context: LaunchContext) -> None:
    """End when a process fails; launch exits with 1 only when an error comes out of it."""
    if event.returncode:
        raise RuntimeError(
            f'the replay failed: {event.process_name} exited with {event.returncode}'
        )


def end(event: Any, context: LaunchContext) -> list[Shutdown]:
    """End with the evaluator."""
    check(event, context)
    ending = context.is_shutdown  # all processes end then
    return [] if ending else [Shutdown(reason='the replay is over')]
