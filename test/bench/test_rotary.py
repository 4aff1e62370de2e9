# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor
from typer.testing import CliRunner

from livevlm_bench.rotary import AfterRotary, StreamPlaces, measure, print_rotary, turned
from livevlm_ros.cli import app
from livevlm_ros.engine import rooms
from livevlm_ros.memory import CacheShape, FrameRef, Memory, MemoryConfig, Reach, RetrievalSettings
from livevlm_ros.memory.naming import TokenNames
from livevlm_ros.memory.retrieval import choose, page_means, relevance
from livevlm_ros.memory.rotary import RotaryTable
from livevlm_ros.replay.errors import BadInput
from livevlm_ros.replay.write_world import Filming, write_world

SHAPE = CacheShape(
    layers=2,
    q_heads=4,
    kv_heads=2,
    head_dim=8,
    tokens_per_frame=3,
    rope_theta=10000.0,
    max_positions=2048,
)
SETTINGS = RetrievalSettings(page_tokens=4)
SEEN = 50  # frames; four are short-term, of the others twenty frames' worth stays
ASKED = 5  # tokens of the question


def _random(seed: int, heads: int, tokens: int) -> Tensor:
    block = (SHAPE.layers, heads, tokens, SHAPE.head_dim)
    return torch.randn(block, generator=torch.Generator().manual_seed(seed))


def _keys(stamp: int) -> Tensor:
    return _random(stamp, SHAPE.kv_heads, SHAPE.tokens_per_frame)


def _watched(kind: type[Memory], *, ratio: float = 0.2, frames: int = SEEN) -> Memory:
    config = MemoryConfig('livevlm', short_term_frames=4, long_term_frames=20, ratio=ratio)
    memory = kind(config, SHAPE, ('front',), retrieval=SETTINGS)
    for stamp in range(frames):
        view = memory.step([FrameRef('front', stamp)])
        q = _random(1000 + stamp, SHAPE.q_heads, SHAPE.tokens_per_frame)
        for layer in range(SHAPE.layers):
            view.attend(layer, q[layer], _keys(stamp)[layer], _keys(stamp)[layer])
        view.commit()
    return memory


def _asked(memory: Memory) -> list[Tensor]:
    """Ask, and return what each layer's attention gives."""
    view = memory.question(extra_tokens=ASKED)
    q, k = _random(7, SHAPE.q_heads, ASKED), _random(8, SHAPE.kv_heads, ASKED)
    return [view.attend(layer, q[layer], k[layer], k[layer]) for layer in range(SHAPE.layers)]


def _found(memory: Memory, layer: int) -> list[int]:
    """Return the tokens that a layer finds, by their number in the stream."""
    assert memory._pages is not None
    pieces, _ = memory._pages.find(layer, _random(7, SHAPE.q_heads, ASKED)[layer], Reach())
    return sorted(_number(name) for piece in pieces for name in piece.names.tolist())


def _number(name: int) -> int:
    return (name >> 2) * SHAPE.tokens_per_frame + (name & 3)


def _table(positions: int) -> RotaryTable:
    table = RotaryTable(SHAPE, device=torch.device('cpu'), dtype=torch.float32)
    table.reserve(positions)
    return table


def _everywhere(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Let all tokens, those of questions too, stand at one place."""
    monkeypatch.setattr(StreamPlaces, 'of', lambda _, names: torch.full_like(names, place))
    monkeypatch.setattr(StreamPlaces, 'after', lambda _, tokens: torch.full((tokens,), place))


def test_places_count_frames_as_they_came_even_one_with_an_older_stamp() -> None:
    names = TokenNames(('front', 'back'), 3)
    names.begin(100)
    refs = [FrameRef('front', 100), FrameRef('front', 300), FrameRef('back', 200)]
    places = StreamPlaces(names)
    places.add(refs[:2])
    places.add(refs[2:])
    asked = torch.cat([names.of_frame(refs[2]), names.of_frame(refs[1])[1:]])
    assert places.of(asked).tolist() == [6, 7, 8, 4, 5]
    assert places.after(2).tolist() == [9, 10]
    places.clear()
    assert places.after(2).tolist() == [0, 1]


def test_tokens_are_turned_as_on_reading() -> None:
    x, table = _random(3, 2, 9)[0], _table(40)
    read = table.rotate(x, first=31, out=torch.empty_like(x))
    assert torch.allclose(turned(x, torch.arange(31, 40), table), read, atol=1e-6)


@pytest.mark.parametrize('layer', [0, 1])
def test_pages_are_ranked_as_a_cache_after_rotary_ranks_them(layer: int) -> None:
    memory = _watched(AfterRotary)
    stream = torch.cat([_keys(stamp)[layer] for stamp in range(SEEN)], dim=1)
    table = _table(stream.shape[1] + ASKED)
    cached = table.rotate(stream, first=0, out=torch.empty_like(stream))
    held = [_number(name) for name in memory._long_term[0].piece(layer).names.tolist()]
    whole = len(held) // 4 * 4
    assert held != list(range(held[0], held[0] + len(held)))  # bucketing left gaps
    means = page_means(cached[:, held[:whole]], page_tokens=4)
    q = _random(7, SHAPE.q_heads, ASKED)[layer]
    q = table.rotate(q, first=stream.shape[1], out=torch.empty_like(q))
    best = choose(relevance(q, means, settings=SETTINGS), most=3)  # 0.2 of 60 tokens
    wanted = [held[4 * page + place] for page in best.tolist() for place in range(4)]
    assert _found(memory, layer) == sorted([*wanted, *held[whole:]])


def test_the_ranking_differs_and_how_much_is_read_does_not() -> None:
    before, after = _watched(Memory), _watched(AfterRotary)
    for layer in range(SHAPE.layers):
        theirs, ours = _found(before, layer), _found(after, layer)
        assert theirs != ours and len(theirs) == len(ours)


def test_at_one_place_both_rank_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = _watched(Memory), _watched(AfterRotary)
    for place in (0, 77):
        _everywhere(monkeypatch, place)
        for layer in range(SHAPE.layers):
            assert _found(before, layer) == _found(after, layer)


def test_where_all_is_read_nothing_differs() -> None:
    before, after = (_watched(kind, ratio=1.0, frames=20) for kind in (Memory, AfterRotary))
    for theirs, ours in zip(_asked(before), _asked(after), strict=True):
        assert torch.equal(theirs, ours)


def test_a_memory_that_was_cleared_counts_anew() -> None:
    memory = _watched(AfterRotary)
    assert isinstance(memory, AfterRotary)
    assert memory._places.after(1).tolist() == [SEEN * SHAPE.tokens_per_frame]
    memory.clear()
    assert memory._places.after(1).tolist() == [0]


@pytest.fixture(scope='module')
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('bench') / 'film'
    filming = Filming(seed=3, streams=2, frames=(30, 30), size=(128, 96), questions=8)
    write_world(folder, filming)
    return folder


def _answers(found: dict, name: str) -> Sequence[tuple[str, list[float]]]:
    return [(row['given'], row['evidence']) for row in found['reports'][name]['answers']]


def test_both_rankings_answer_the_same_questions_and_are_compared_in_pairs(film: Path) -> None:
    found = json.loads(json.dumps(measure(film, [0.01, 1.0])))
    rows = [(row['ranked'], row['ratio']) for row in found['rows']]
    assert rows == [('before', 0.01), ('before', 1.0), ('after', 0.01), ('after', 1.0)]
    assert all(row['not_answered'] == 0 and row['right']['n'] == 16 for row in found['rows'])
    assert [(row['candidate'], row['baseline']) for row in found['paired']] == [
        ('after@0.01', 'before@0.01'),
        ('after@1', 'before@1'),
    ]
    assert _answers(found, 'after@1') == _answers(found, 'before@1')
    assert _answers(found, 'after@0.01') != _answers(found, 'before@0.01')
    assert found['paired'][1]['difference'] == 0 and found['paired'][1]['streams'] == 2
    assert rooms.Memory is Memory


def test_what_was_found_is_printed(film: Path) -> None:
    found = measure(film, [0.4])
    found['rows'][1]['not_answered'] = 3
    written = StringIO()
    print_rotary(found, Console(file=written, width=80))
    text = written.getvalue()
    assert '\n before ' in text and 'after@0.4 − before@0.4' in text
    assert 'after rotary, ratio 0.4: 3 not answered' in text
    assert '…' not in text


def test_a_ratio_that_cannot_be_is_refused_before_anything_is_read() -> None:
    with pytest.raises(BadInput, match='ratio'):
        measure(Path('nowhere'), [0.4, 2.0])


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (('rotary',), 'expected recordings'),
        (('rotary', 'nowhere', '--ratio', '0.4,much'), '--ratio 0.4,much'),
        (('rotary', 'nowhere'), 'nowhere'),
    ],
)
def test_what_cannot_be_used_is_one_line(arguments: tuple[str, ...], told: str) -> None:
    result = CliRunner().invoke(app, ['bench', *arguments])
    assert result.exit_code == 2
    assert told in result.stderr and result.stderr.count('\n') == 1


def test_the_suite_is_printed_and_written(film: Path, tmp_path: Path) -> None:
    file = tmp_path / 'r.json'
    arguments = ['bench', 'rotary', str(film), '--ratio', '0.2', '--json', str(file)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0 and 'after rotary' in result.stdout
    assert [row['ratio'] for row in json.loads(file.read_text())['rows']] == [0.2, 0.2]
