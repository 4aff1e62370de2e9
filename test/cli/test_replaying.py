# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from livevlm_ros.engine.messages import BadFrame
from livevlm_ros.world import CHOICES

MAIN = 'from livevlm_ros.cli import main; main()'
ANSWERED = {'OK', 'PARTIAL', 'NOT_SEEN'}  # a random model does not end with its one token


def test_evaluate_writes_its_reports_and_prints_a_table(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    code, out, error = livevlm(
        'evaluate',
        film,
        '--preset',
        'full',
        '--model',
        checkpoint,
        '--set',
        'ask.default_max_tokens=1',
        '--set',
        'model.threads=1',
        '--json',
        tmp_path / 'r.json',
        '--html',
        tmp_path / 'r.html',
        '--picture',
        tmp_path / 'p.png',
    )
    assert code == 0, error
    report = json.loads((tmp_path / 'r.json').read_text())
    assert report['preset'] == 'full' and report['accuracy']['overall']['n'] == 12
    assert report['source']['path'] == str(film) and report['source']['recordings'] == 2
    assert report['settings']['dtype'] == 'float32'
    assert 'exists' in out and 'frames' in out
    assert '…' not in out and max(map(len, out.splitlines())) > 80
    assert (tmp_path / 'r.html').read_text().startswith('<!doctype html>')
    assert (tmp_path / 'p.png').read_bytes().startswith(b'\x89PNG')


def test_evaluate_of_free_questions_is_a_table_and_a_page_of_answers(
    livevlm, refused, film: Path, tmp_path: Path
) -> None:
    asked = ('how many people are walking ?', 'name the last thing you saw .')
    given = (argument for question in asked for argument in ('--ask', question))
    page = tmp_path / 'r.html'
    code, out, error = livevlm('evaluate', film / 'stream-0000', *given, '--html', page)
    assert code == 0, error
    assert all(name in out for name in ('asked at', 'confidence', 'evidence at', 'latency'))
    assert "'people', 'walking'" in out.replace('\n', ' ')
    assert page.read_text().count('class="answer"') == 2 and 'image/jpeg' in page.read_text()
    assert '--at 3: nothing is asked then' in refused('evaluate', film, '--at', '3')
    both = refused('evaluate', film, '--ask', 'x ?', '--questions', 'q.yaml')
    assert '--questions q.yaml, --ask x ?: expected one of them' in both


def test_evaluate_compares_presets_in_one_run(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    code, out, error = livevlm(
        'evaluate',
        film,
        '--presets',
        'recent,full',
        '--model',
        checkpoint,
        '--set',
        'ask.default_max_tokens=1',
        '--json',
        tmp_path / 'r.json',
        '--html',
        tmp_path / 'r.html',
    )
    assert code == 0, error
    compared = json.loads((tmp_path / 'r.json').read_text())
    assert list(compared['presets']) == ['recent', 'full']
    (row,) = compared['paired']
    assert (row['candidate'], row['baseline'], row['n'], row['streams']) == (
        'full',
        'recent',
        12,
        2,
    )
    assert 'full − recent' in out and 'recent pays' in out
    page = (tmp_path / 'r.html').read_text()
    assert 'aria-label="memory of recent"' in page and 'aria-label="memory of full"' in page


def test_evaluate_compares_rows_of_settings_and_an_oracle_against_chosen_ones(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    code, out, error = livevlm(
        'evaluate',
        film,
        *('--presets', 'recent', '--model', checkpoint),
        *('--row', 'few=rekv memory.short_term_frames=2'),
        *('--row', 'told=rekv memory.short_term_frames=3 oracle=true'),
        *('--set', 'ask.default_max_tokens=1', '--set', 'memory.short_term_frames=4'),
        *('--against', 'told', '--json', tmp_path / 'r.json'),
        *('--choices', '--reliability', tmp_path / 'r.svg'),
    )
    assert code == 0, error
    assert 'few: ECE' in (tmp_path / 'r.svg').read_text()
    compared = json.loads((tmp_path / 'r.json').read_text())
    rows = compared['presets']
    assert {name: row['preset'] for name, row in rows.items()} == {
        'recent': 'recent',
        'few': 'rekv',
        'told': 'rekv',
    }
    settings = [row['settings'] for row in rows.values()]
    assert [given['memory.short_term_frames'] for given in settings] == [4, 2, 3]
    assert [given['oracle'] for given in settings] == [False, False, True]
    for row in rows.values():
        assert row['questions']['statuses'].keys() <= ANSWERED
        for answer in row['answers']:
            assert answer['given'] in set().union(*CHOICES.values())
    pairs = [(pair['candidate'], pair['baseline']) for pair in compared['paired']]
    assert pairs == [('recent', 'told'), ('few', 'told')]
    assert 'few − told' in out


def test_evaluate_compares_with_what_every_table_has(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    code, out, error = livevlm(
        'evaluate',
        film / 'stream-0000',
        *('--baselines', '--preset', 'rekv', '--model', checkpoint),
        *('--set', 'ask.default_max_tokens=1', '--json', tmp_path / 'r.json'),
        *('--html', tmp_path / 'r.html'),
    )
    assert code == 0, error
    rows = json.loads((tmp_path / 'r.json').read_text())['presets']
    assert list(rows) == ['rekv', 'no-video', 'last-2', 'last-4', 'last-8', 'oracle']
    assert rows['oracle']['preset'] == 'rekv' and rows['no-video']['settings']['alone']
    assert 'right about the past' in out and 'last-8 − rekv' in out
    assert 'what the words of a question give away' in (tmp_path / 'r.html').read_text()


def test_evaluate_uses_a_stretch_of_a_recording(
    livevlm, refused, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    code, out, error = livevlm(
        'evaluate',
        film / 'stream-0000',
        *('--ask', 'what do you see now ?', '--model', checkpoint),
        *('--start', 1, '--duration', 2, '--json', tmp_path / 'r.json'),
    )
    assert code == 0, error
    report = json.loads((tmp_path / 'r.json').read_text())
    assert (report['source']['frames'], report['source']['seconds']) == (2, 1.0)
    assert report['answers'][0]['at'] == 2.0
    drawn = ('--start', 1, '--memory-picture', tmp_path / 'p.png')
    assert 'shows a whole recording' in refused('evaluate', film, *drawn)


def test_sweep_prints_a_table_and_writes_a_page(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    code, out, error = livevlm(
        'sweep',
        film,
        *('--model', checkpoint, '--preset', 'livevlm'),
        *('--long-term', '2,4', '--read', '1', '--set', 'memory.short_term_frames=2'),
        *('--set', 'ask.default_max_tokens=1'),
        *('--json', tmp_path / 's.json', '--html', tmp_path / 's.html'),
    )
    assert code == 0, error
    assert 'the first of 2 took' in error and 'preset livevlm' in out
    points = json.loads((tmp_path / 's.json').read_text())['points']
    assert [(point['long_term_frames'], point['read_frames']) for point in points] == [
        (2, 1),
        (4, 1),
    ]
    assert points[0]['device_bytes'] < points[1]['device_bytes']
    assert all(point['statuses'].keys() <= ANSWERED for point in points)
    assert (tmp_path / 's.html').read_text().count('<figure>') == 2


@pytest.mark.parametrize(
    'arguments, says',
    [
        (('nowhere',), 'nowhere: no such file'),
        (('{film}', '--preset', 'rekv'), 'preset rekv has no long-term memory to be swept'),
        (('{film}', '--long-term', '8,many'), '--long-term 8,many: expected different whole'),
        (('{film}', '--read', '0.5'), '--read 0.5: expected different whole numbers above 0'),
        (('{film}', '--set', 'memory.colour=1'), "no setting 'memory.colour'"),
        (('{film}', '--html', '/no/such/folder/s.html'), 's.html: cannot be written'),
    ],
)
def test_sweep_refuses_what_it_cannot_use_in_one_line(
    refused, film: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused('sweep', *(argument.format(film=film) for argument in arguments))


def test_a_sweep_of_which_nothing_is_measured_fails(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / 'q.yaml').write_text(KNOWN % 900)
    given = ('--model', checkpoint, '--questions', tmp_path / 'q.yaml', '--long-term', 2)
    code, _, error = livevlm(
        'sweep', film / 'stream-0000', *given, '--read', 1, '--json', tmp_path / 's.json'
    )
    assert code == 3 and 'nothing was measured: no question was asked: 1 outside' in error
    assert json.loads((tmp_path / 's.json').read_text())['nothing_measured']


KNOWN = "- {at: %g, question: 'what color was the car ?'}\n"
UNKNOWN = "- {at: 2, question: 'is the zebra asleep ?', answer: 'no'}\n"


@pytest.mark.parametrize(
    ('questions', 'says'),
    [
        (KNOWN % 900, 'no question was asked: 1 outside the recording'),
        ('[]', 'no question was asked: expected --ask or a questions file'),
        (
            UNKNOWN * 2,
            "no question was answered of 2; such as question: the model does not know '",
        ),
        (KNOWN % 2, ''),
        (UNKNOWN + KNOWN % 2, ''),
    ],
    ids=['outside', 'none', 'unknown words', 'without an answer', 'one of two'],
)
def test_evaluate_fails_when_no_question_could_be_asked_and_not_for_want_of_truth(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path, questions: str, says: str
) -> None:
    (tmp_path / 'q.yaml').write_text(questions)
    code, out, error = livevlm(
        'evaluate',
        film / 'stream-0000',
        *('--model', checkpoint, '--questions', tmp_path / 'q.yaml'),
        *('--set', 'ask.default_max_tokens=1', '--json', tmp_path / 'r.json'),
    )
    assert code == (3 if says else 0), error
    assert f'livevlm: balanced: nothing was measured: {says}' in error or not says
    report = json.loads((tmp_path / 'r.json').read_text())
    assert bool(report['nothing_measured']) == bool(says)
    assert says in ' '.join(report['warnings'])
    unscored = report['questions']['asked'] - report['questions']['scored']
    assert ('asked at' in out) == bool(unscored)


def test_evaluate_fails_when_no_frame_was_used(
    livevlm, film: Path, checkpoint: Path, tmp_path: Path, monkeypatch
) -> None:
    def unusable(message, depth) -> None:
        raise BadFrame('h264 is no picture')

    monkeypatch.setattr('livevlm_ros.replay.bag.to_rgb', unusable)
    code, out, error = livevlm(
        'evaluate',
        film,
        *('--model', checkpoint, '--presets', 'recent,full'),
        *('--json', tmp_path / 'r.json', '--html', tmp_path / 'r.html'),
    )
    assert code == 3
    assert 'livevlm: recent: nothing was measured: no frame was used of ' in error
    assert 'dropped: bad ' in error and 'h264 is no picture' in error
    assert 'warning: no frame was used' in out
    assert 'no frame was used' in (tmp_path / 'r.html').read_text()
    assert json.loads((tmp_path / 'r.json').read_text())['presets'].keys() == {'recent', 'full'}


@pytest.mark.parametrize(
    ('stdout', 'encoding', 'code', 'says'),
    [
        ('/dev/full', 'utf-8', 2, 'livevlm: output: cannot be written: No space left on device'),
        ('/dev/null', 'ascii', 0, ''),
    ],
    ids=['full', 'ascii'],
)
def test_reports_are_written_even_where_they_cannot_be_printed(
    film: Path,
    checkpoint: Path,
    tmp_path: Path,
    stdout: str,
    encoding: str,
    code: int,
    says: str,
) -> None:
    arguments = ('evaluate', film / 'stream-0000', '--model', checkpoint)
    files = ('--json', tmp_path / 'r.json', '--html', tmp_path / 'r.html')
    with Path(stdout).open('w') as out:
        done = subprocess.run(
            [sys.executable, '-c', MAIN, *map(str, (*arguments, *files))],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONIOENCODING': encoding},
        )
    assert (done.returncode, done.stderr.strip()) == (code, says)
    assert json.loads((tmp_path / 'r.json').read_text())['source']['recordings'] == 1
    assert (tmp_path / 'r.html').read_text().endswith('</html>\n')


def test_a_report_on_a_full_disk_is_one_line_and_the_other_is_written(
    refused, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    page = tmp_path / 'r.html'
    given = ('--model', checkpoint, '--json', '/dev/full', '--html', page)
    assert '/dev/full: cannot be written: No space' in refused('evaluate', film, *given)
    assert page.read_text().endswith('</html>\n')


@pytest.mark.parametrize(
    'arguments, says',
    [
        (('nowhere',), 'nowhere: no such file'),
        (('{film}', '--row', 'fifo'), '--row fifo: expected NAME=PRESET'),
        (('{film}', '--row', 'x=rekv a=1'), "row x: setting a=1: no setting 'a'"),
        (('{film}', '--presets', 'full', '--row', 'full=rekv'), 'row full: the name is given'),
        (('{film}', '--presets', 'full', '--against', 'x'), '--against x: no such row'),
        (('{film}', '--against', 'full'), '--against full: nothing to compare'),
        (('{film}', '--row', 'x=rekv', '--picture', 'p.png'), 'a single preset'),
        (('{film}', '--preset', 'elephant'), 'preset must be one of recent, full'),
        (('{film}', '--presets', 'full,elephant'), "got 'elephant'"),
        (('{film}', '--presets', 'full,full'), 'a name is given twice'),
        (('{film}', '--presets', 'recent,full', '--picture', 'p.png'), 'a single preset'),
        (
            ('{film}', '--preset', 'rekv', '--presets', 'recent,full'),
            '--preset rekv, --presets recent,full: expected one of them',
        ),
        (('{film}', '--set', 'memory.colour=1'), "no setting 'memory.colour'"),
        (('{film}', '--fps', '-1'), 'target_fps must be'),
        (('{film}', '--model', '/no/such/checkpoint'), '/no/such/checkpoint'),
        (
            ('{film}', '--json', '/no/such/folder/r.json'),
            '/no/such/folder/r.json: cannot be written',
        ),
        (('{film}', '--json', 'r', '--html', './r'), 'r: is given twice; expected different'),
        (('{film}', '--questions', 'r', '--json', 'r'), 'r: is given twice; expected different'),
        (('{film}', '--model', '{checkpoint}', '--questions', 'q.yaml'), 'one questions file'),
        (('{film}', '--model', '{checkpoint}', '--topic', '/up'), 'no images on topic /up'),
    ],
)
def test_evaluate_refuses_what_it_cannot_use_in_one_line(
    refused, film: Path, checkpoint: Path, arguments: tuple[str, ...], says: str
) -> None:
    given = [argument.format(film=film, checkpoint=checkpoint) for argument in arguments]
    assert says in refused('evaluate', *given)


def test_bad_yaml_in_a_questions_file_is_one_line(
    refused, film: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / 'q.yaml').write_text('- {at: 1, question: [unclosed')
    bag = film / 'stream-0000'
    error = refused('evaluate', bag, '--model', checkpoint, '--questions', tmp_path / 'q.yaml')
    assert f'{tmp_path}/q.yaml: not YAML' in error and 'line 1' in error


@pytest.mark.parametrize(
    'arguments, says',
    [
        (('--size', 'big'), '--size big: expected width x height'),
        (('--size', '64x48'), 'size must be 96 to 1280'),
        (('--frames', '4-8'), '--frames 4-8: expected a number or a range'),
        (('--frames', '8..4'), 'frames must be 1 or more and in order'),
        (('--streams', '0'), 'streams must be 1 to'),
        (('--fps', '0'), 'fps must be between'),
        (('--never', '1.5'), 'never must be a share, 0 to 1, got 1.5'),
        (('--storage', 'rosbag1'), 'storage must be one of mcap, sqlite3'),
    ],
)
def test_world_refuses_what_it_cannot_film_in_one_line(
    refused, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in refused('world', '--seed', '1', '--out', tmp_path / 'w', *arguments)
    assert not (tmp_path / 'w').exists()


def test_world_never_writes_into_a_folder_that_holds_something(refused, film: Path) -> None:
    assert 'is not an empty folder' in refused('world', '--seed', '4', '--out', film)


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_one_line(
    refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(*given, **options) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr('livevlm_ros.replay.write_world.image_bag', full)
    error = refused('world', '--seed', '4', '--out', tmp_path / 'w')
    assert error == f'livevlm: output: cannot be written: {os.strerror(number)}\n'
