# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np

from livevlm_ros.replay.street import SECONDS, StreetSource


def test_the_street_is_a_source_of_a_frame_a_second_and_the_same_each_time() -> None:
    frames = list(StreetSource().frames())
    again = next(iter(StreetSource().frames()))
    assert len(frames) == StreetSource().length == SECONDS
    assert {b.stamp_ns - a.stamp_ns for a, b in zip(frames, frames[1:], strict=False)} == {10**9}
    assert callable(frames[0].pixels) and callable(again.pixels)
    assert frames[0].stamp_ns > 0 and np.array_equal(frames[0].pixels(), again.pixels())


def test_its_examples_are_questions() -> None:
    examples = StreetSource().examples()
    assert examples and all(isinstance(question, str) and question for question in examples)
