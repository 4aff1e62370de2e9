# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Public sets in small: videos of the simulated street, with rows in each set's own form."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from livevlm_ros.replay.questions import QuestionEntry, read_questions
from livevlm_ros.replay.sets import Written, import_set
from livevlm_ros.world import AskedQuestion, World

SECONDS = 24
KINDS = ('color_of', 'where_is', 'exists', 'light')
PICTURE = 'data:image/png;base64,iVBORw0KGgo='


class Street:
    """Some seconds of the simulated street at one frame a second, and what may be asked of it."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed, float(SECONDS))
        asked = self.world.questions(count=12, fps=1.0, kinds=KINDS)
        self.asked: list[AskedQuestion] = [each for each in asked if each.evidence is not None]

    def picture(self, second: float) -> np.ndarray:
        """Return the frame of a second, as OpenCV has colors."""
        return cv2.cvtColor(self.world.image(second, (128, 96)), cv2.COLOR_RGB2BGR)

    def film(self, video: Path) -> None:
        """Write all of it as a video."""
        video.parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*'mp4v'), 1.0, (128, 96))
        for second in range(SECONDS):
            writer.write(self.picture(second))
        writer.release()

    def choosing(self) -> Sequence[tuple[AskedQuestion, list[str], int]]:
        """Return questions with their options and the place of the right one."""
        options = [list(each.choices) for each in self.asked]
        return [
            (each, given, given.index(each.answer[0]))
            for each, given in zip(self.asked, options, strict=True)
        ]


@pytest.fixture(scope='session')
def street() -> Street:
    return Street(700_000)


@pytest.fixture(scope='session')
def video(street: Street, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp('street') / 'street.mp4'
    street.film(file)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / 'public'
    made.mkdir()
    return made


@pytest.fixture
def put_video(video: Path, folder: Path) -> Callable[[str], None]:
    """Put the street's video into the set's folder."""

    def put(name: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).hardlink_to(video)

    return put


@pytest.fixture
def write(folder: Path) -> Callable[[str, Any], None]:
    """Write an annotation file as JSON."""

    def write_json(name: str, content: Any) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding='utf-8')

    return write_json


@pytest.fixture
def imported(
    folder: Path, tmp_path: Path
) -> Callable[[str], tuple[Written, dict[str, list[QuestionEntry]]]]:
    """Import the set's folder; returns what is told, and the questions by recording."""

    def run(name: str) -> tuple[Written, dict[str, list[QuestionEntry]]]:
        out = tmp_path / 'out'
        written = import_set(name, folder, out)
        questions = {}
        for file in sorted(out.glob('*.questions.yaml')):
            entries, refused = read_questions(file)
            assert refused == [], 'what is written must be read back'
            questions[file.name.removesuffix('.questions.yaml')] = entries
        assert sum(map(len, questions.values())) == written.questions
        return written, questions

    return run


@pytest.fixture
def ovo_s_bench(street: Street, folder: Path, put_video: Callable[[str], None]) -> Path:
    """Write OVO-S-Bench: parquet with the columns and the map of options that it has."""
    pa = pytest.importorskip('pyarrow')
    from pyarrow import parquet

    put_video('videos/annotated_videos/01_CODa_full/street.mp4')
    common = {
        'source_dataset': 'CODa_full',
        'video_id': 'street',
        'video_path': 'annotated_videos/01_CODa_full/street.mp4',
        'level': 1,
        'task_main_category': '1.1',
        'task_subcategory': '1.1.1',
        'task_type_name': 'Absolute Distance',
        'evidence_times': [[1.0, 2.0]],
    }
    rows = [
        {
            **common,
            'id': f'1.1.1_{number}',
            'question': asked.question,
            'options': list(zip('ABCDEFGHIJKLM', options, strict=False)),
            'query_times': [asked.at],
            'evidence_times': [list(asked.evidence)],
            'answers': ['ABCDEFGHIJKLM'[right]],
        }
        for number, (asked, options, right) in enumerate(street.choosing())
    ]
    twice = {
        **rows[0],
        'id': '2.1.2_0',
        'task_subcategory': '2.1.2',
        'query_times': [5.0, 9.5, 12.0],
        'evidence_times': [[3.0, 4.0], [0.0, 1.0]],
        'answers': ['A', 'B'],
    }
    pictures = {**rows[0], 'id': '4.3_001', 'options': [('A', PICTURE), ('B', PICTURE)]}
    missing = {**rows[0], 'id': '1.1.1_90', 'video_path': 'Sekai/none.mp4'}
    wrong = {**rows[0], 'id': '1.1.1_91', 'answers': ['Z']}
    schema = pa.schema(
        [
            ('id', pa.string()),
            ('source_dataset', pa.string()),
            ('video_id', pa.string()),
            ('video_path', pa.string()),
            ('level', pa.int64()),
            ('task_main_category', pa.string()),
            ('task_subcategory', pa.string()),
            ('task_type_name', pa.string()),
            ('question', pa.string()),
            ('options', pa.map_(pa.string(), pa.string())),
            ('query_times', pa.list_(pa.float64())),
            ('evidence_times', pa.list_(pa.list_(pa.float64()))),
            ('answers', pa.list_(pa.string())),
        ]
    )
    table = pa.Table.from_pylist([*rows, twice, pictures, missing, wrong], schema=schema)
    parquet.write_table(table, folder / 'ovo_s_bench.parquet')
    return folder


@pytest.fixture
def ovo_bench(
    street: Street,
    folder: Path,
    put_video: Callable[[str], None],
    write: Callable[[str, Any], None],
) -> Path:
    """Write OVO-Bench: rows that choose, an answer that cannot be given, and forward tasks."""
    put_video('src_videos/COIN/street.mp4')
    tasks = ('EPM', 'ATR', 'ASI', 'OCR')
    rows: list[dict[str, Any]] = [
        {
            'id': number,
            'task': tasks[number % len(tasks)],
            'video': 'COIN/street.mp4',
            'realtime': asked.at,
            'question': asked.question,
            'answer': options[right],
            'options': options,
            'gt': right,
        }
        for number, (asked, options, right) in enumerate(street.choosing())
    ]
    unable = ['red', 'Unable to answer', 'blue']
    rows += [
        {**rows[0], 'id': 297, 'task': 'HLD', 'options': unable, 'gt': 1, 'answer': unable[1]},
        {**rows[0], 'id': 298, 'realtime': 400},
        {**rows[0], 'id': 299, 'video': 'COIN/none.mp4'},
        {**rows[0], 'id': 300, 'task': 'XYZ'},
        {**rows[0], 'id': 301, 'gt': 17},
        {
            'id': 1468,
            'task': 'CRR',
            'video': 'COIN/street.mp4',
            'question': 'what color was the last car ?',
            'answer': 'red',
            'ask_time': 3,
            'clue_time': 5,
            'test_info': [{'realtime': 3, 'type': 0}, {'realtime': 6.5, 'type': 1}],
        },
        {
            'id': 1516,
            'task': 'SSR',
            'video': 'COIN/street.mp4',
            'tutorial': 'Drive',
            'all_steps': ['pass a truck', 'stop at the light'],
            'start_time': [1, 8],
            'end_time': [5, 12],
            'test_info': [{'realtime': 9, 'step': 'stop at the light', 'type': 1}],
        },
        {
            'id': 1558,
            'task': 'REC',
            'video': 'COIN/street.mp4',
            'activity': 'passing a truck',
            'start_times': [2],
            'end_times': [4],
            'test_info': [{'realtime': 4, 'count': 1}, {'realtime': 20.0, 'count': 2}],
        },
    ]
    write('data/ovo_bench_new.json', rows)
    return folder


@pytest.fixture
def streaming_bench(
    street: Street,
    folder: Path,
    put_video: Callable[[str], None],
    write: Callable[[str, Any], None],
) -> Path:
    """Write StreamingBench: three parts of it, with videos as unpacked and as preprocessed."""
    put_video('data/real/sample_7/street.mp4')
    put_video('src/data/videos/sample_2_sqa.mp4')

    def question(number: int) -> dict[str, Any]:
        asked, options, right = street.choosing()[number]
        minutes, rest = divmod(int(asked.at), 60)
        return {
            'task_type': 'Object Recognition' if number % 2 else 'Counting',
            'question': asked.question,
            'time_stamp': f'00:{minutes:02d}:{rest:02d}',
            'answer': 'ABCDEFG'[right],
            'options': [f'{"ABCDEFG"[n]}. {text}' for n, text in enumerate(options)],
            'required_ability': 'working memory',
        }

    usable = [n for n, (_, options, right) in enumerate(street.choosing()) if len(options) < 8]
    real = {'video_categories': 'driving', 'video_path': './videos/sample_7_real.mp4'}
    bad = {**question(usable[0]), 'answer': 'AB'}
    write(
        'src/data/questions_real.json',
        [{'time': '[0:00:00 - 0:00:10]', 'questions': [question(n)], **real} for n in usable]
        + [{'time': '[0:00:00 - 0:00:10]', 'questions': [bad], **real}],
    )
    sequence = {'time': '[0:01:00 - 0:02:00]', 'video_path': './videos/sample_2_sqa.mp4'}
    first, second = (
        {
            **question(usable[0]),
            'task_type': 'Sequential Question Answering',
            'options': ['left', 'right', 'middle'],
            'answer': answer,
            'time_stamp': at,
        }
        for answer, at in (('B', '00:00:05'), ('A', '0:00:12'))
    )
    write(
        'src/data/questions_sqa.json',
        [[{**sequence, 'questions': [first]}, {**sequence, 'questions': [second]}]],
    )
    write(
        'src/data/questions_proactive.json',
        [
            {
                'time': '[0:00:00 - 0:00:30]',
                'questions': [
                    {
                        'task_type': 'Proactive Output',
                        'question': 'When a red light shows, output "red".',
                        'time_stamp': '00:00:02',
                        'ground_truth_time_stamp': '00:00:09',
                        'ground_truth_output': 'red',
                        'required_ability': 'working memory',
                    }
                ],
                'video_categories': 'driving',
                'video_path': './videos/sample_17_proactive.mp4',
            }
        ],
    )
    return folder


BEGIN_S = 1673884800.25  # 8:00:00 in California
HEAD = (
    'UUID,Seq ID,Question,"Timestamp \nwith answer","Type \n(binary, position, time, text)",'
    'Text answer,Parsable answer,"Question\nCategory"\n'
)
ROWS = """\
S_1,0,did you see a truck ?,8:00:04,binary,,Yes,environmental
S_2,0,where was the truck ?,8:00:04,position,,[position],spatial
S_3,0,where did you see the truck ?,8:00:04,time,,[minutes] ago,temporal
S_4,0,How long did you drive ?,"8:00:02,8:00:14",duration,For .2 minutes,0.2,temporal reasoning
S_5,0,What color was the truck ?,8:00:04,text,It was red,,descriptive
S_6,0,When did it rain ?,9:30:00,time,,,temporal
S_7,3,Where was the car ?,8:00:04,position,,[position],spatial
S_8,0,Was it late ?,8:00:04,binary,,perhaps,environmental
S_9,0,Where was the light ?,8:00:04,position,,,spatial
"""


@pytest.fixture
def navqa(street: Street, folder: Path, write: Callable[[str, Any], None]) -> Path:
    """Write NaVQA, and sequence 0 of CODa with poses along a line at 2 m/s."""
    spans = [
        {'id': f'S_{n}', 'start_time': BEGIN_S, 'end_time': BEGIN_S + 20} for n in range(1, 9)
    ]
    write('navqa/0/qa_unfilled.json', {'version': 0.1, 'data': spans})
    (folder / 'navqa/data.csv').write_text(HEAD + ROWS, encoding='utf-8')
    pictures = folder / 'CODa/2d_rect/cam0/0'
    pictures.mkdir(parents=True)
    times = [BEGIN_S + second / 4 for second in range(4 * SECONDS)]
    for number in range(0, 4 * SECONDS, 2):
        picture = street.picture(number / 4)
        cv2.imwrite(str(pictures / f'2d_rect_cam0_0_{number}.png'), picture)
    for name, lines in {
        'timestamps': [f'{second:.6f}' for second in times],
        'poses/dense': [
            f'{second:.6f} {2 * (second - BEGIN_S):.6f} 1.0 0.5 1.0 0.0 0.0 0.0'
            for second in times
        ],
    }.items():
        (folder / 'CODa' / name).mkdir(parents=True)
        (folder / 'CODa' / name / '0.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return folder


@pytest.fixture
def normalised(street: Street, folder: Path, put_video: Callable[[str], None]) -> Path:
    """Write rows in the normalised schema, a JSON object a line."""
    put_video('videos/street.mp4')
    rows = [
        {
            'schema_version': '3.0-video-only',
            'dataset_id': 'qaego4d',
            'question_id': f'q-{number}',
            'category': 'Episodic Memory',
            'question': asked.question,
            'choices': options,
            'answer_index': right,
            'answer_text': options[right],
            'video_relpath': 'videos/street.mp4',
            'video_start_s': 0.0,
            'video_end_s': float(SECONDS),
            'query_time_s': asked.at,
            'evidence_intervals': [[0.0, 20.0]],
            'evidence_intervals_causal': [list(asked.evidence)],
            'image_option_count': 0,
        }
        for number, (asked, options, right) in enumerate(street.choosing())
    ]
    rows += [
        {**rows[0], 'question_id': 'late', 'video_start_s': 2.0, 'query_time_s': 9.0},
        {**rows[0], 'question_id': 'pictures', 'image_option_count': 4},
        {**rows[0], 'question_id': 'none', 'answer_index': None},
    ]
    text = ''.join(json.dumps(row) + '\n' for row in rows)
    (folder / 'test.jsonl').write_text(text, encoding='utf-8')
    (folder / 'notes.json').write_text('{"not": "rows"}', encoding='utf-8')
    return folder
