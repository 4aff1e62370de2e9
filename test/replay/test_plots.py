# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import re
from dataclasses import replace

import pytest

from livevlm_ros.replay.plots import COLORS, figures, look


@pytest.fixture
def drawn(make_run, make_outcome) -> dict[str, str]:
    """Return the figures of two presets by their titles."""
    outcomes = [make_outcome(n % 3 > 0, age=age) for age in (3, 40) for n in range(6)]
    runs = [make_run('recent', *outcomes), make_run('balanced', *outcomes, archive_tokens=99)]
    return titled(figures(runs))


def titled(elements: list[str]) -> dict[str, str]:
    titles = [re.findall('<figcaption>(.*?)</figcaption>', element)[0] for element in elements]
    return dict(zip(titles, elements, strict=True))


def test_every_figure_is_drawn_once_and_memory_for_each_preset(drawn) -> None:
    assert list(drawn) == [
        'accuracy by age',
        'accuracy by kind',
        'reliability',
        'bytes',
        'latency',
        'memory of recent',
        'memory of balanced',
    ]
    assert all(f'<svg role="img" aria-label="{title}"' in drawn[title] for title in drawn)


def test_false_memories_are_drawn_over_the_answers_that_less_of_them_cost(
    make_run, make_outcome
) -> None:
    shown = make_outcome()
    shown = replace(shown, answer=replace(shown.answer, doubt=0.3))
    claimed = replace(shown, entry=replace(shown.entry, answer=('never',)))
    drawn = titled(figures([make_run('balanced', shown, claimed)]))['false memory']
    assert 'right answers withheld, %' in drawn and 'balanced' in drawn


def test_ink_is_the_colour_of_the_page(drawn) -> None:
    for element in drawn.values():
        assert 'fill: currentColor' in element
        assert not re.search('#0{3,6}|black', element), 'would vanish on a dark page'
        assert 'font' in element and '<text' in element, 'text stays text'


def test_drawings_fetch_nothing_and_share_no_ids(drawn) -> None:
    assert 'http' not in ''.join(drawn.values())
    ids = [id for element in drawn.values() for id in set(re.findall(' id="(.*?)"', element))]
    assert ids and len(ids) == len(set(ids))
    every = ' '.join(drawn.values())
    assert set(re.findall(r'(?:url\(#|href="#)([\w.]+)', every)) <= set(ids)


def test_a_preset_keeps_its_colour(drawn) -> None:
    for title in ('accuracy by age', 'accuracy by kind', 'bytes', 'latency'):
        assert COLORS[0] in drawn[title] and COLORS[1] in drawn[title], title
    assert COLORS[0] in drawn['memory of recent'] and COLORS[1] not in drawn['memory of recent']


def test_figures_say_sizes_and_name_what_they_show(drawn) -> None:
    assert drawn['accuracy by age'].count('n = 6') == 2
    assert 'now (12)' in drawn['accuracy by kind']
    assert {'chance', 'majority'} <= set(re.findall('>(chance|majority)<', str(drawn)))
    assert 'on the device' in drawn['bytes'] and 'on disk' not in drawn['bytes']
    assert 'archive' in drawn['memory of balanced'] and 'archive' not in drawn['memory of recent']


def test_old_ages_are_drawn_where_they_were_asked(make_run, make_outcome) -> None:
    outcomes = [make_outcome(n % 3 > 0, age=age) for age in (3, 600) for n in range(6)]
    drawn = titled(figures([make_run('full', *outcomes)]))['accuracy by age']
    assert '&lt;=1024' in drawn and '&lt;=256' not in drawn and '&gt;1024' not in drawn


def test_a_dozen_rows_look_different() -> None:
    looks = [tuple(look(number).values()) for number in range(24)]
    assert len(set(looks)) == 24 and len({color for color, _ in looks[:12]}) == 12


def test_two_drawings_of_the_same_runs_are_equal(make_run, make_outcome) -> None:
    runs = [make_run('full', make_outcome())]
    assert figures(runs) == figures(runs)


def test_without_questions_only_the_memory_is_drawn(make_run) -> None:
    assert list(titled(figures([make_run('full')]))) == ['bytes', 'memory of full']
