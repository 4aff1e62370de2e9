# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from livevlm_bench import robots
from livevlm_bench.filling import archive_on_disk, frame_bytes
from livevlm_bench.robots import Robot
from livevlm_ros.engine import EngineConfig, Frame
from livevlm_ros.memory import RetrievalSettings
from livevlm_ros.memory.archive.costs import LEAST_FRAMES
from livevlm_ros.model import VideoLanguageModel, load_model
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.settings import engine_config
from livevlm_ros.world import World

FRAMES = 100
QUESTION = 'what did you see last ?'


@pytest.fixture(scope='module')
def model() -> VideoLanguageModel:
    return load_model(engine_config().model)


@pytest.fixture(scope='module')
def frames() -> list[Frame]:
    world = World(3, float(FRAMES))
    return [
        Frame('camera', (1 + second) * 10**9, world.image(second, (96, 72)))
        for second in range(FRAMES)
    ]


@pytest.fixture(params=[0.8, 1.01], ids=['ahead', 'blocking'])
def config(
    model: VideoLanguageModel, tmp_path: Path, request: pytest.FixtureRequest
) -> EngineConfig:
    given = ('memory.long_term_frames=16', f'retrieval.tau={request.param}')
    config = engine_config(preset='balanced', given=given)
    retrieval = RetrievalSettings.from_settings(model.memory_settings, model.shape)
    memory = archive_on_disk(
        config.memory, model.shape, retrieval, frames=FRAMES, folder=str(tmp_path)
    )
    return replace(config, memory=memory)


@pytest.fixture
def robot(config: EngineConfig, model: VideoLanguageModel) -> Iterator[Robot]:
    with closing(Robot(config, model, QUESTION)) as robot:
        yield robot


def test_a_second_with_a_question_is_told_whole(robot: Robot, frames: list[Frame]) -> None:
    for number, frame in enumerate(frames):
        robot.live(frame, asked=number >= FRAMES - 3)
    assert len(robot.run.answers) == len(robot.run.seconds) == 3
    assert all(robot.run.answers)
    for second in robot.run.seconds:
        assert 0 < second.exposed < second.answer
        assert second.step > 0 and second.idle > 0


def test_all_but_the_least_of_the_archive_lies_on_the_disk(
    robot: Robot, frames: list[Frame], config: EngineConfig, model: VideoLanguageModel
) -> None:
    for frame in frames:
        robot.live(frame, asked=frame is frames[-1])
    sizes = robot._memory.sizes()
    retrieval = RetrievalSettings.from_settings(model.memory_settings, model.shape)
    record, _ = frame_bytes(config.memory, model.shape, retrieval)
    archived = sizes.archive_tokens // model.shape.tokens_per_frame
    assert archived > 2 * LEAST_FRAMES and not sizes.disk_lost
    assert robot.run.disk_bytes == sizes.disk_bytes == (archived - LEAST_FRAMES) * record
    assert sizes.disk_bytes <= config.memory.archive_disk_bytes


def test_the_archive_holds_a_whole_stream_unthinned(robot: Robot, frames: list[Frame]) -> None:
    for frame in frames:
        robot.live(frame, asked=False)
    sizes = robot._memory.sizes()
    tokens = sizes.short_term_tokens + sizes.archive_tokens
    assert tokens == FRAMES * sizes.short_term_tokens // sizes.short_term_frames


def test_a_file_that_stays_in_ram_is_refused(
    robot: Robot, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robots, 'drop_cache', lambda file: None)
    with pytest.raises(BadInput, match='TMPDIR'):
        for number, frame in enumerate(frames):
            robot.live(frame, asked=number == FRAMES - 1)


def test_only_where_it_may_a_question_reads_what_was_chosen_ahead(
    robot: Robot, frames: list[Frame], config: EngineConfig
) -> None:
    for number, frame in enumerate(frames):
        robot.live(frame, asked=number >= FRAMES - 10)
    assert robot.run.ahead == (9 if config.memory.tau < 1 else 0)  # the first has nothing to read
    assert robot.run.corrected <= robot.run.ahead
