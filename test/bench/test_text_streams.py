# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from livevlm_bench.facts import Kind, built_in_facts
from livevlm_bench.filler import built_in_filler
from livevlm_bench.language_model import LanguageModel, Tokens
from livevlm_bench.text_streams import LAST_SENTENCES, TYPES, Fact, TextStream, text_stream
from livevlm_ros.replay.errors import BadInput


def _stream(model: LanguageModel, **changed: int) -> TextStream:
    arguments = {'seed': 1, 'number': 0, 'tokens': 3072, **changed}
    return text_stream(model, built_in_facts('table'), built_in_filler('table'), **arguments)


def _text(model: LanguageModel, stream: TextStream, span: tuple[int, int]) -> str:
    return model.text(stream.ids[slice(*span)])


@pytest.mark.parametrize('tokens', [1536, 3072])
def test_a_stream_is_as_long_as_asked_and_asks_for_facts_of_every_type(
    text_model: LanguageModel, tokens: int
) -> None:
    stream = _stream(text_model, tokens=tokens)
    assert len(stream.ids) == tokens and stream.frames == tokens // 16
    assert {fact.type for fact in stream.facts} == set(TYPES)


def test_facts_are_said_where_they_are_said_to_be(text_model: LanguageModel) -> None:
    stream = _stream(text_model)
    for fact in stream.facts:
        assert len(fact.spans) == {'two_hop': 2, 'not_said': 0}.get(fact.type, 1)
        told = ' '.join(_text(text_model, stream, span) for span in fact.spans)
        ids, places = fact.answer
        assert text_model.text([ids[place] for place in places]).strip() == fact.value
        assert text_model.text(ids).endswith(fact.value)
        if fact.type in ('single', 'recent'):
            assert told == f' {text_model.text(ids)}{told[len(text_model.text(ids)) + 1 :]}'
        if fact.spans:
            needed = text_model.text([stream.ids[place] for place in fact.needed])
            assert fact.value in told and fact.value in needed
            assert all(place // 16 in fact.frames for place in fact.needed)


def test_what_is_not_said_is_nowhere(text_model: LanguageModel) -> None:
    stream = _stream(text_model)
    whole = text_model.text(stream.ids)
    for fact in stream.facts:
        said = text_model.text(fact.answer.ids)
        if fact.type != 'two_hop':
            assert whole.count(said) == (0 if fact.type == 'not_said' else 1)


def test_no_two_facts_of_a_stream_have_a_question_or_a_value_in_common(
    text_model: LanguageModel,
) -> None:
    facts = _stream(text_model).facts
    assert len({fact.value for fact in facts}) == len(facts)
    assert len({fact.ask for fact in facts}) == len(facts)


def test_facts_are_spread_over_the_stream_and_recent_ones_stand_at_its_end(
    text_model: LanguageModel,
) -> None:
    stream = _stream(text_model)
    ages = {kind: [stream.age(f) for f in stream.facts if f.type == kind] for kind in TYPES}
    assert ages['not_said'] == [None] * 3
    single = sorted(age for age in ages['single'] if age)
    gaps = [later - earlier for earlier, later in zip(single, single[1:], strict=False)]
    assert max(single) > 0.8 * stream.frames and max(gaps) < stream.frames / 4
    first = min(span[0] for f in stream.facts if f.type == 'recent' for span in f.spans)
    assert text_model.text(stream.ids[first:]).count('. ') < LAST_SENTENCES
    assert max(ages['recent']) < min(single)


def test_of_two_sentences_the_older_one_tells_the_age(text_model: LanguageModel) -> None:
    stream = _stream(text_model)
    fact = next(fact for fact in stream.facts if fact.type == 'two_hop')
    assert stream.age(fact) == stream.frames - min(end - 1 for _, end in fact.spans) // 16


def test_the_newest_frame_has_age_one() -> None:
    fact = Fact('single', '', Tokens([], []), '', 2, spans=((30, 48),))
    assert TextStream([0] * 48, [fact]).age(fact) == 1
    assert TextStream([0] * 64, [fact]).age(fact) == 2


def test_the_same_arguments_give_the_same_stream_and_others_another(
    text_model: LanguageModel,
) -> None:
    stream = _stream(text_model)
    assert _stream(text_model) == stream
    for changed in ({'seed': 2}, {'number': 1}):
        other = _stream(text_model, **changed)
        assert other.ids != stream.ids and other.facts != stream.facts


def test_where_subjects_run_out_fewer_facts_are_said(text_model: LanguageModel) -> None:
    kinds = []
    for name in ('code', 'price', 'name'):
        say, ask = f'The {name} of the {{who}} is {{value}}.', f'What {name} has the {{who}}?'
        kinds.append(Kind((say,), ask, say, who=('gate',), values=('one', 'two')))
    stream = text_stream(
        text_model, kinds, built_in_filler('table'), seed=1, number=0, tokens=1024
    )
    assert [fact.type for fact in stream.facts] == ['single']


def test_a_stream_without_room_for_filler_is_refused(text_model: LanguageModel) -> None:
    with pytest.raises(BadInput, match='leave no room'):
        _stream(text_model, tokens=256)
