# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Every parameter of the node in one table, and the one place where they become an `EngineConfig`.

Imports neither rclpy nor torch, so that launch files and their tests may ask what exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from livevlm_ros.engine.settings import configuration
from livevlm_ros.node.camera_parameters import camera_parameters
from livevlm_ros.node.parameter import Parameter
from livevlm_ros.node.pose_settings import POSE_PARAMETERS

if TYPE_CHECKING:
    from livevlm_ros.engine import EngineConfig

Values = Mapping[str, Any]  # by name; rclpy has checked the types

PARAMETERS: tuple[Parameter, ...] = (
    Parameter('autostart', True, 'Configure and activate on start.', change='start'),
    Parameter('camera_names', ('camera',), 'Logical names of the cameras.', change='start'),
    Parameter(
        'ingest.target_fps',
        1.0,
        'Frames per second of each camera, by header stamp, that enter the memory.',
        low=0.01,
        high=120.0,
    ),
    Parameter(
        'ingest.gate',
        False,
        'Skip frames that look like the last kept one of their camera.',
    ),
    Parameter(
        'ingest.gate_similarity',
        0.98,
        'How alike two frames must be for the gate, 1 being the same picture.',
        low=0.0,
        high=1.0,
    ),
    Parameter(
        'ingest.gate_heartbeat_s',
        5.0,
        'Seconds, by header stamp, after which a frame is kept, and read whole, in any case.',
        low=0.1,
        high=3600.0,
    ),
    Parameter(
        'ingest.skip_static',
        'none',
        'What the language model does not read again where a camera goes on showing the same: '
        'frames in which no token shows anything new, or all such tokens, of other frames too.',
        choices=('none', 'frames', 'tokens'),
    ),
    Parameter(
        'ingest.max_blind_ms',
        500.0,
        'Milliseconds an answer may keep the cameras waiting before a frame is taken in between.',
        low=10.0,
        high=60000.0,
    ),
    Parameter(
        'model.path',
        'embedded',
        'Weights: embedded, a checkpoint folder, or a hub name such as '
        'llava-hf/llava-onevision-qwen2-0.5b-ov-hf.',
    ),
    Parameter(
        'model.dtype',
        'auto',
        'Number type of the weights; auto is float32 on a CPU and bfloat16 on a GPU.',
        choices=('auto', 'float32', 'bfloat16', 'float16'),
    ),
    Parameter(
        'model.weights',
        'auto',
        'Weights of the language layers: int8 takes a quarter of the memory of float32 and int4 a '
        'sixth, for answers that are a little different; auto is as model.dtype.',
        choices=('auto', 'int8', 'int4'),
    ),
    Parameter(
        'model.image_tokens',
        0,
        'Language tokens of an image, one of the numbers a model can make; 0 is its usual one.',
        low=0,
        high=4096,
    ),
    Parameter(
        'model.device',
        'cpu',
        'Device of the model and its memory: cpu, cuda or cuda:N.',
        pattern=r'cpu|cuda(:\d+)?',
    ),
    Parameter(
        'model.threads',
        0,
        'CPU threads of the model; 0 is one for the embedded model, all cores for others.',
        low=0,
        high=1024,
    ),
    Parameter(
        'memory.preset',
        'balanced',
        'What the memory gives up: recent forgets all but the newest frames, full keeps every '
        'frame until its tokens run out, rekv keeps every frame on the host, livevlm compresses '
        'them into a fixed number of tokens, balanced archives them beside that.',
        choices=('recent', 'full', 'rekv', 'livevlm', 'balanced'),
    ),
    Parameter(
        'memory.short_term_frames',
        -1,
        "Newest frames kept whole, shared equally between the cameras; -1 is the preset's number.",
        low=-1,
        high=4096,
    ),
    Parameter(
        'memory.long_term_frames',
        -1,
        "Frames' worth of tokens kept of older frames, shared equally between the cameras; -1 is "
        "the preset's number, 0 is none.",
        low=-1,
        high=65536,
    ),
    Parameter(
        'memory.eviction',
        '',
        'Which of those tokens stay: vsb (Vision Sink Bucketing), or the baselines fifo, '
        "uniform and infinipot; empty is the preset's choice.",
        choices=('', 'vsb', 'fifo', 'uniform', 'infinipot'),
    ),
    Parameter(
        'memory.archive_bits',
        -1,
        'Bits of a number in the archive of older frames: 4, 8 or 16; 0: there is none, what '
        "long-term drops is gone; -1 is the preset's choice.",
        low=-1,
        high=16,
    ),
    Parameter(
        'memory.archive_host_bytes',
        -1,
        'RAM that the archive may take, in bytes; -1: a quarter of what is free when the node is '
        'configured, taken as the archive fills.',
        low=-1,
        high=1099511627776,
    ),
    Parameter(
        'memory.archive_disk_bytes',
        0,
        'Disk that the archive may take when its RAM is full, in bytes; needs memory.path. 0: '
        'none; -1: a quarter of what is free there.',
        low=-1,
        high=1099511627776,
    ),
    Parameter(
        'memory.path',
        '',
        "Folder of this node's memory, for the archive on disk and snapshots; empty: none.",
    ),
    Parameter(
        'memory.snapshot',
        False,
        'Restore what was saved in memory.path when the node is configured, and save the memory '
        'there when it is deactivated. A journal there has what comes in between, for a node that '
        'is killed.',
    ),
    Parameter(
        'memory.autosave_s',
        0.0,
        'Seconds between two times that the memory is saved in between; 0: when its journal has '
        'grown to the size of the snapshot, and 256 MiB at least.',
        low=0.0,
        high=86400.0,
    ),
    Parameter(
        'memory.snapshots_kept',
        2,
        'Snapshots of earlier lives that stay in folders kept-1, kept-2 and so on of memory.path, '
        'where a life that saw only a few frames would overwrite them.',
        low=0,
        high=100,
    ),
    Parameter(
        'memory.full_max_tokens',
        65536,
        'Most tokens that preset full holds; then the oldest frames leave.',
        low=256,
        high=16777216,
    ),
    Parameter(
        'retrieval.by',
        '',
        'How a question finds older frames: by tokens, one choice of pages for all layers; by '
        'means, those of pages, as in LiveVLM, or by frames, their mean keys, as in ReKV, each '
        "layer for itself; by frames-only as ReKV's authors run it; empty: the preset's way.",
        choices=('', 'tokens', 'means', 'frames', 'frames-only'),
    ),
    Parameter(
        'retrieval.frames',
        -1,
        "Frames' worth of tokens that a question reads of older frames; -1: the preset's.",
        low=-1,
        high=100000,
    ),
    Parameter(
        'retrieval.tau',
        0.8,
        "Least cosine between a standing question's queries and those that chose its pages, for "
        'pages chosen ahead to be read; above 1 none is.',
        low=-1.1,
        high=1.1,
    ),
    Parameter(
        'ask.default_budget',
        0.0,
        'Seconds from request to reply when a request names no budget; at most ask.max_budget; '
        '0 is what a whole answer is measured to take, and 2 at least.',
        low=0.0,
        high=3600.0,
        change='live',
    ),
    Parameter(
        'ask.max_budget',
        30.0,
        'Longer budgets are cut to this, in seconds.',
        low=0.001,
        high=3600.0,
    ),
    Parameter(
        'ask.queue_size',
        8,
        'Questions of ask and ask_stream together that may wait, and as many again of who was '
        'told to come back; more are refused as overloaded.',
        low=1,
        high=64,
        change='start',
    ),
    Parameter(
        'ask.default_max_tokens',
        64,
        'Most tokens of an answer when a request names none.',
        low=1,
        high=512,
        change='live',
    ),
    Parameter(
        'ask.temperature',
        0.0,
        'Randomness of an answer when a request names none; 0 is greedy.',
        low=0.0,
        high=2.0,
        change='live',
    ),
    Parameter(
        'ask.max_evidence',
        3,
        'Most evidence frames of an answer when a request names none.',
        low=1,
        high=64,
        change='live',
    ),
    Parameter(
        'ask.min_confidence',
        0.3,
        'A whole answer with less confidence is STATUS_NOT_SEEN, its text the best guess; 0: '
        'none is.',
        low=0.0,
        high=1.0,
        change='live',
    ),
    Parameter(
        'ask.max_doubt',
        1.0,
        'A whole answer with more doubt is STATUS_NOT_SEEN, too; 1: the model nearly said that '
        'nothing was there; 0: none is. Without effect where min_confidence is 0.',
        low=0.0,
        high=1000.0,
        change='live',
    ),
    Parameter(
        'ask.introspection',
        'off',
        'What ask/_service_event shows of each question.',
        choices=('off', 'metadata', 'contents'),
        change='live',
    ),
    Parameter(
        'time.on_jump',
        'keep',
        'When the stamps of all cameras run back more than a second: keep goes on with the memory '
        'as it is, reset clears it where time begins anew (a bag that loops), drop drops frames.',
        choices=('keep', 'reset', 'drop'),
    ),
    *POSE_PARAMETERS,
    Parameter(
        'diagnostics.period',
        1.0,
        'Seconds between two messages on /diagnostics and ~/memory_state.',
        low=0.1,
        high=60.0,
        change='start',
    ),
    Parameter(
        'diagnostics.window_s',
        60.0,
        'Seconds over which image rates and callback times are taken.',
        low=1.0,
        high=600.0,
        change='live',
    ),
    Parameter(
        'diagnostics.warn_frame_age_s',
        5.0,
        'Warn when the newest frame of a camera is older, in seconds.',
        low=0.1,
        high=86400.0,
        change='live',
    ),
    Parameter(
        'diagnostics.warn_p95_ms',
        2000.0,
        'Warn when the 95th percentile of the answer time is longer, in milliseconds.',
        low=1.0,
        high=3600000.0,
        change='live',
    ),
    Parameter('seed', 0, 'Seed of sampled answers.', low=0, high=2147483647),
)

RENAMED = {'cameras': 'camera_names'}
"""Names of before, refused with the new one; `ros2 param dump` needs a list to be no prefix."""


def table(cameras: Iterable[str] = ('camera',)) -> dict[str, Parameter]:
    """Return every parameter of a node with these cameras, by name."""
    rows = [*PARAMETERS, *(row for camera in cameras for row in camera_parameters(camera))]
    return {row.name: row for row in rows}


def check_cameras(cameras: Sequence[str]) -> None:
    """
    Refuse camera names that cannot be part of a parameter name.

    :raises ValueError: naming the camera and what is expected
    """
    if not cameras:
        raise ValueError('camera_names is empty, expected at least one name')
    for name in cameras:
        if not re.fullmatch(r'[A-Za-z][A-Za-z0-9_]*', name):
            raise ValueError(f'camera_names has {name!r}, expected letters, digits and _')
    if len(set(cameras)) != len(cameras):
        raise ValueError(f'camera_names has a name twice: {", ".join(cameras)}')


def contradiction(values: Values) -> str:
    """Return why parameters that are each allowed cannot go together, or '' if they can."""
    default_s, most_s = values['ask.default_budget'], values['ask.max_budget']
    if default_s <= most_s:
        return ''
    return f'ask.default_budget is {default_s:g}, expected at most ask.max_budget, {most_s:g}'


def engine_config(values: Values) -> EngineConfig:
    """
    Turn parameter values into the engine's configuration.

    :param values: every parameter of `table` by name
    :raises ValueError: naming the parameters that cannot go together
    """
    if reason := contradiction(values):
        raise ValueError(reason)
    return configuration(values, values['camera_names'])
