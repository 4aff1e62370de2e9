# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from collections import Counter
from pathlib import Path

import pytest

from livevlm_ros.replay import sets


def test_what_cannot_be_imported_is_refused_in_a_line(refused, tmp_path: Path) -> None:
    folder, out = tmp_path / 'set', tmp_path / 'out'
    assert 'no such folder' in refused('import', 'NaVQA', folder, '--out', out)
    folder.mkdir()
    unknown = refused('import', 'OVO', folder, '--out', out)
    assert 'OVO: no set that is known; expected one of OVO-S-Bench, OVO-Bench' in unknown
    for name, file in (
        ('OVO-S-Bench', 'ovo_s_bench.parquet'),
        ('ovo-bench', 'ovo_bench_new.json'),
        ('StreamingBench', 'questions_real.json'),
        ('NaVQA', 'data.csv'),
    ):
        assert f'no {file}' in refused('import', name, folder, '--out', out)
    (folder / 'ovo_bench_new.json').write_text('{"rows": []}')
    assert 'expected a list of rows, got dict' in refused(
        'import', 'OVO-Bench', folder, '--out', out
    )
    (folder / 'ovo_bench_new.json').write_text('[{"task": "EPM"}, 3, {"task": 4}]')
    nothing = refused('import', 'OVO-Bench', folder, '--out', out)
    assert (
        'no row can become a question: 2 (task missing or unreadable), 1 (options miss' in nothing
    )
    assert not out.exists()
    out.mkdir()
    (out / 'mine.txt').touch()
    assert 'is not an empty folder' in refused('import', 'OVO-Bench', folder, '--out', out)


@pytest.mark.parametrize(
    'written, said',
    [
        (
            sets.Written(1, 1, Counter({'its video is missing': 1}), 1),
            'out: 1 question of 1 recording\n'
            '1 is asked at the end of a video that is shorter than the set says\n'
            'left out: 1 (its video is missing)\n',
        ),
        (
            sets.Written(2, 3, Counter(), 2),
            'out: 3 questions of 2 recordings\n'
            '2 are asked at the end of a video that is shorter than the set says\n',
        ),
    ],
)
def test_one_and_several_are_told_in_their_own_words(
    livevlm, monkeypatch: pytest.MonkeyPatch, written: sets.Written, said: str
) -> None:
    monkeypatch.setattr(sets, 'import_set', lambda *_, **__: written)
    assert livevlm('import', 'NaVQA', 'set', '--out', 'out') == (0, said, '')
