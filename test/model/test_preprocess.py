# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from transformers import SiglipImageProcessorPil

from livevlm_ros.model.folder import CheckpointError
from livevlm_ros.model.preprocess import Preprocessor

SETTINGS = {
    'do_rescale': True,
    'do_normalize': True,
    'image_mean': [0.5, 0.4, 0.3],
    'image_std': [0.5, 0.25, 0.2],
    'resample': 3,
    'rescale_factor': 1 / 255,
    'size': {'height': 40, 'width': 40},
}


def _preprocessor(**changes: object) -> Preprocessor:
    return Preprocessor({**SETTINGS, **changes}, source=Path('p.json'), size=(40, 40))


@pytest.mark.parametrize('resample', [1, 2, 3])
@pytest.mark.parametrize('size', [(480, 640), (97, 131), (40, 40)])
def test_pixels_are_within_one_grey_level_of_pil(
    images: Callable, resample: int, size: tuple[int, int]
) -> None:
    frames = images(2, height=size[0], width=size[1])
    theirs = SiglipImageProcessorPil(**{**SETTINGS, 'resample': resample})
    expected = theirs(frames, return_tensors='np')['pixel_values']
    ours = _preprocessor(resample=resample)(frames).numpy()
    one_level = 1 / 255 / np.array([0.5, 0.25, 0.2]).reshape(3, 1, 1)
    levels = np.abs(ours - expected) / one_level
    assert levels.max() < 1.01
    assert (levels > 0.01).mean() < 0.05  # few pixels round the other way


def test_a_step_the_file_switches_off_is_left_out() -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    assert np.allclose(_preprocessor(do_normalize=False)([white]), 1.0)
    raw = _preprocessor(do_normalize=False, do_rescale=False)([white])
    assert np.allclose(raw, 255.0)


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((40, 40, 3), np.float32),
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((0, 40, 3), np.uint8),
    ],
)
def test_what_is_not_an_rgb_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match='expected an RGB image, uint8'):
        _preprocessor()([image])


def test_an_image_that_is_a_flipped_view_is_read_as_it_looks(images: Callable) -> None:
    (image,) = images(1, height=60, width=80)
    flipped = image[::-1, :, ::-1]
    assert np.array_equal(_preprocessor()([flipped]), _preprocessor()([flipped.copy()]))


@pytest.mark.filterwarnings('error')
def test_an_image_that_must_not_be_written_to_is_read(images: Callable) -> None:
    (image,) = images(1, height=60, width=80)
    locked = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    assert np.array_equal(_preprocessor()([locked]), _preprocessor()([image]))


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'size': {'shortest_edge': 40}}, 'expected height 40 and width 40'),
        ({'size': {'height': 384, 'width': 384}}, 'expected height 40 and width 40'),
        ({'size': None}, 'expected height 40 and width 40'),
        ({'resample': 0}, r'expected 1 \(Lanczos\), 2 \(bilinear\) or 3 \(bicubic\)'),
        ({'image_mean': [0.5]}, 'image_mean is .* expected three numbers'),
        ({'image_std': None}, 'image_std is None'),
        ({'image_std': [0, 0, 0]}, r'image_std is \[0, 0, 0\]'),
        ({'image_std': ['a', 1, 1]}, 'image_std is .* expected three numbers'),
        ({'rescale_factor': None}, 'rescale_factor is None, expected a number above 0'),
        ({'rescale_factor': 0}, 'rescale_factor is 0'),
        ({'do_resize': False}, 'do_resize is False, expected true'),
    ],
)
def test_settings_that_cannot_be_met_are_refused_by_key(changes: dict, said: str) -> None:
    with pytest.raises(CheckpointError, match=rf'p\.json: .*{said}'):
        _preprocessor(**changes)


@pytest.mark.parametrize(
    ('files', 'mean'),
    [
        (['preprocessor_config.json'], 0.1),
        (['video_preprocessor_config.json', 'preprocessor_config.json'], 0.2),
        (['processor_config.json', 'preprocessor_config.json'], 0.3),
    ],
)
def test_the_file_for_videos_comes_first(tmp_path: Path, files: list[str], mean: float) -> None:
    written = {
        'preprocessor_config.json': {**SETTINGS, 'image_mean': [0.1] * 3},
        'video_preprocessor_config.json': {**SETTINGS, 'image_mean': [0.2] * 3},
        'processor_config.json': {'video_processor': {**SETTINGS, 'image_mean': [0.3] * 3}},
    }
    for name in files:
        (tmp_path / name).write_text(json.dumps(written[name]))
    black = np.zeros((40, 40, 3), np.uint8)
    pixels = Preprocessor.from_folder(tmp_path, size=(40, 40))([black])
    assert pixels[0, 0, 0, 0].item() == pytest.approx(-mean / 0.5)


def test_a_folder_without_a_preprocessor_file_is_told_its_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match='preprocessor_config.json is missing'):
        Preprocessor.from_folder(tmp_path, size=(40, 40))
