# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livevlm_bench import filler
from livevlm_bench.facts import HALVES
from livevlm_bench.filler import LETTERS, LONGEST_SENTENCE, built_in_filler, read_filler
from livevlm_ros.replay.errors import BadInput

PROSE = 'The river rises in spring and falls in autumn. ' * 4


def test_each_half_is_enough_for_long_streams_and_shares_no_paragraph() -> None:
    table, calibration = map(built_in_filler, HALVES)
    for half in (table, calibration):
        assert sum(len(sentence) for paragraph in half for sentence in paragraph) > 100_000
    assert not set(table) & set(calibration)


def test_paragraphs_are_prose_in_sentences() -> None:
    for paragraph in built_in_filler('table'):
        assert LETTERS[0] <= len(' '.join(paragraph)) <= LETTERS[1]
        assert max(map(len, paragraph)) <= LONGEST_SENTENCE
        assert all(sentence == ' '.join(sentence.split()) for sentence in paragraph)


def test_a_folder_replaces_it(tmp_path: Path) -> None:
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'a.md').write_text(f'# Title\n\n{PROSE}\n\n```x = [1, 2, 3] {{4}}```\n')
    (tmp_path / 'deep' / 'b.txt').write_text('Now. ' + PROSE.replace('. ', '.\n'))
    (tmp_path / 'c.py').write_text('It is not read. ' + PROSE)
    first, second = read_filler(tmp_path)
    assert first == ('The river rises in spring and falls in autumn.',) * 4
    assert second == ('Now.', *first)


def test_a_folder_without_prose_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / 'nowhere'):
        with pytest.raises(BadInput, match='--text .*expected a folder'):
            read_filler(folder)


def test_python_without_sources_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filler, '_built_in', dict)
    with pytest.raises(BadInput, match='--text'):
        built_in_filler('table')
