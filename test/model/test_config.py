# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.model import ModelConfig


@pytest.mark.parametrize(
    ('settings', 'named'),
    [
        ({'path': ''}, 'model path is empty'),
        ({'dtype': 'int8'}, 'auto, float32, bfloat16, float16'),
        ({'weights': 'int3'}, "auto, int8, int4, got 'int3'"),
        ({'image_tokens': -1}, 'image_tokens must be 0 or more, got -1'),
        ({'device': 'tpu'}, 'cpu, cuda or cuda:N'),
        ({'device': 'cuda:x'}, "cpu, cuda or cuda:N, got 'cuda:x'"),
    ],
)
def test_settings_no_machine_can_load_are_refused_by_name(settings: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ModelConfig(**settings)
