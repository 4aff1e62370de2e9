# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path


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
    assert 'no row can become a question: 2 task missing or unreadable; 1 options miss' in nothing
    assert not out.exists()
    out.mkdir()
    (out / 'mine.txt').touch()
    assert 'is not an empty folder' in refused('import', 'OVO-Bench', folder, '--out', out)
