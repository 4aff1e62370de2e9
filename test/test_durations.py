# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_ros.durations import typed_seconds


@pytest.mark.parametrize(
    ('text', 'seconds'), [('90', 90), ('1.5s', 1.5), ('5m', 300), ('.5h', 1800), (' 2d ', 172800)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert typed_seconds(text) == seconds


@pytest.mark.parametrize('text', ['', 'soon', '5 minutes', '-3', '1e3'])
def test_texts_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match='such as 90s, 5m, 2h or 1d'):
        typed_seconds(text)
