# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

SMALL = ('--set', 'ask.default_max_tokens=1', '--set', 'model.threads=1')


@pytest.fixture(scope='module')
def given(film: Path, checkpoint: Path) -> tuple[object, ...]:
    return ('evaluate', film, '--model', checkpoint, *SMALL)


@pytest.fixture(scope='module')
def parts(livevlm, given: tuple[object, ...], tmp_path_factory: pytest.TempPathFactory) -> list:
    """Evaluate two streams in two parts."""
    files = [tmp_path_factory.mktemp('parts') / f'part-{number}.json' for number in (1, 2)]
    for number, file in enumerate(files, 1):
        code, out, error = livevlm(*given, '--shard', f'{number}/2', '--json', file)
        assert code == 0, error
        assert out == f'{file}: shard {number}/2, 1 recording done, 0 done before\n'
    return files


def test_parts_merge_into_the_report_of_a_single_run(
    livevlm, given: tuple[object, ...], parts: list[Path], tmp_path: Path
) -> None:
    code, alone, error = livevlm(*given, '--json', tmp_path / 'single.json')
    assert code == 0, error
    code, merged, error = livevlm(
        'merge', *parts, '--json', tmp_path / 'r.json', '--html', tmp_path / 'r.html'
    )
    assert code == 0, error
    single, report = (
        json.loads((tmp_path / name).read_text()) for name in ('single.json', 'r.json')
    )
    assert list(report) == list(single) and report['answers'] == single['answers']
    assert report['accuracy'] == single['accuracy'] and report['memory'] == single['memory']
    assert report['source'] == single['source'] and report['settings'] == single['settings']
    assert [line for line in alone.splitlines() if ' ms' not in line][:5] == [
        line for line in merged.splitlines() if ' ms' not in line
    ][:5]
    assert 'image/jpeg' in (tmp_path / 'r.html').read_text()


def test_a_part_that_is_done_is_not_done_again(
    livevlm, given: tuple[object, ...], parts: list[Path]
) -> None:
    before = parts[0].read_bytes()
    code, out, _ = livevlm(*given, '--shard', '1/2', '--json', parts[0])
    assert code == 0 and out.endswith('shard 1/2, 0 recordings done, 1 done before\n')
    assert parts[0].read_bytes() == before


def test_what_does_not_fit_is_refused_in_one_line(
    refused, given: tuple[object, ...], parts: list[Path], tmp_path: Path
) -> None:
    shard = (*given, '--shard', '1/2')
    assert 'expected --json with a file for this part' in refused(*shard)
    into = (*shard, '--json', parts[0])
    other = refused(*into, '--preset', 'recent')
    assert (
        f'{parts[0]}: is of another evaluation: rows: balanced only there and recent only here'
        in other
    )
    assert 'is of another evaluation' in refused(*into, '--ask', 'what ?')
    assert '--html: not with --shard' in refused(*into, '--html', tmp_path / 'r.html')
    assert '--masked: not with --shard' in refused(*into, '--masked')
    assert 'shard 3/2: expected' in refused(*given, '--shard', '3/2', '--json', parts[0])
    assert 'no part of shard 2/2' in refused('merge', parts[0])
    assert 'shard 1/2, and so is' in refused('merge', *parts, parts[0])
    assert '--against full: no such row' in refused('merge', *parts, '--against', 'full')
    assert 'cannot be read' in refused('merge', tmp_path / 'none.json')
    assert 'is given twice' in refused('merge', *parts, '--json', parts[0])


def test_a_comparison_merges_into_a_comparison(
    livevlm, given: tuple[object, ...], tmp_path: Path
) -> None:
    compare = (*given, '--presets', 'recent,full')
    for number in (1, 2):
        livevlm(*compare, '--shard', f'{number}/2', '--json', tmp_path / f'{number}.json')
    parts = [tmp_path / '1.json', tmp_path / '2.json']
    code, out, error = livevlm('merge', *parts, '--against', 'full', '--json', tmp_path / 'r')
    assert code == 0, error
    report = json.loads((tmp_path / 'r').read_text())
    assert list(report['presets']) == ['recent', 'full'] and 'recent' in out
    assert [row['baseline'] for row in report['paired']] == ['full']


def test_a_report_without_questions_ends_with_three(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / 'film').mkdir()
    (tmp_path / 'film/bag').symlink_to(film / 'stream-0000')
    part = tmp_path / 'part.json'
    shard = ('--shard', '1/1', '--json', part, '--model', checkpoint, *SMALL)
    assert livevlm('evaluate', tmp_path / 'film', *shard)[0] == 0
    code, _, error = livevlm('merge', part)
    assert code == 3 and 'nothing was measured: no question was asked' in error
