# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/own-data.md tells of all that a questions file and the import know."""

from pathlib import Path

from livevlm_ros.replay.questions import KEYS
from livevlm_ros.replay.sets import READERS

PAGE = Path(__file__).resolve().parents[2] / 'docs/own-data.md'


def test_the_page_names_every_key_and_every_set() -> None:
    text = PAGE.read_text(encoding='utf-8')
    assert all(f'`{name}`' in text for name in (*KEYS, *READERS))
