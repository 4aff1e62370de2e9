# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from livevlm_ros.model import BadQuestion, CheckpointError, UnknownWords
from livevlm_ros.model.chat import Chat
from livevlm_ros.model.checkpoint import open_tokenizer
from livevlm_ros.model.family import VideoText

EXAMPLES = {'color_of': 'what color was the car', 'exists': 'was the dog red'}


def _chat(folder: Path, *, closed: bool = False) -> tuple[Chat, PreTrainedTokenizerBase]:
    tokenizer = open_tokenizer(folder)
    video = tokenizer.convert_tokens_to_ids('<video>')
    vocabulary = {'closed': True, 'examples': EXAMPLES} if closed else {}
    return Chat(tokenizer, video=VideoText(video), vocabulary=vocabulary), tokenizer


@pytest.mark.parametrize('question', ['what color was the car', 'is  it\nleft ?', 'Größe 車 \t ?'])
def test_prefix_and_question_have_the_tokens_of_the_whole_chat(
    checkpoint: Path, question: str
) -> None:
    chat, tokenizer = _chat(checkpoint)
    content = [{'type': 'video'}, {'type': 'text', 'text': question}]
    whole = tokenizer.apply_chat_template(
        [{'role': 'user', 'content': content}], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(whole, add_special_tokens=False).input_ids
    video = tokenizer.convert_tokens_to_ids('<video>')
    assert [*chat.prefix_ids, video, *chat.question_ids(question)] == ids


TEMPLATE = (
    'user : <video> {{% for part in messages[0].content if part.text %}}{}{{% endfor %}} '
    'assistant :'
)


@pytest.mark.parametrize(
    'written', ['{{ part.text }}', '\n {{ part.text | trim }}\n ', 'is {{ part.text.lstrip() }}']
)
@pytest.mark.parametrize(
    'question', ['is it left', ' \t is it\n left \n\n', '\u3000is "it"\v&\\', ' ']
)
def test_a_template_may_trim_the_question(checkpoint: Path, written: str, question: str) -> None:
    tokenizer = open_tokenizer(checkpoint)
    tokenizer.chat_template = TEMPLATE.format(written)
    video = tokenizer.convert_tokens_to_ids('<video>')
    chat = Chat(tokenizer, video=VideoText(video), vocabulary={})
    content = [{'type': 'video'}, {'type': 'text', 'text': question}]
    whole = tokenizer.apply_chat_template([{'role': 'user', 'content': content}], tokenize=False)
    ids = tokenizer(whole, add_special_tokens=False).input_ids
    assert [*chat.prefix_ids, video, *chat.question_ids(question)] == ids


def test_no_question_is_given_to_the_template(word_checkpoint: Path) -> None:
    tokenizer = open_tokenizer(word_checkpoint)
    picky = '{% if "car" in part.text %}{{ raise_exception("a car") }}{% endif %}{{ part.text }}'
    tokenizer.chat_template = TEMPLATE.format(picky)
    chat = Chat(tokenizer, video=VideoText(5), vocabulary={})
    assert tokenizer.decode(chat.question_ids('was the car left')).startswith('was the car left')


@pytest.mark.parametrize(
    ('written', 'times'),
    [
        ('what ?', 0),
        ('{{ part.text }} {{ part.text }}', 2),
        ('{{ part.text | lower }}', 0),
        ('{{ part.text | capitalize }}', 0),
        ('{{ part.text | escape }}', 0),
        ('{{ part.text | tojson }}', 0),
    ],
)
def test_a_template_that_changes_the_question_is_refused(
    word_checkpoint: Path, written: str, times: int
) -> None:
    tokenizer = open_tokenizer(word_checkpoint)
    tokenizer.chat_template = TEMPLATE.format(written)
    with pytest.raises(CheckpointError, match=f'has the question {times} times as') as refused:
        Chat(tokenizer, video=VideoText(5), vocabulary={})
    assert '\n' not in str(refused.value)


def test_the_chat_of_a_hub_checkpoint_is_the_models_not_the_tokenizers(
    hub_checkpoint: Path,
) -> None:
    chat, tokenizer = _chat(hub_checkpoint)
    assert tokenizer.decode(chat.prefix_ids) == '<|im_start|>user '
    assert tokenizer.decode(chat.question_ids('why?')) == (
        '\nwhy?<|im_end|><|im_start|>assistant\n'
    )


def test_the_hub_chat_is_cut_where_its_parts_alone_would_be(hub_checkpoint: Path) -> None:
    chat, _ = _chat(hub_checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(hub_checkpoint)
    prefix = tokenizer('<|im_start|>user ', add_special_tokens=False).input_ids
    assert chat.prefix_ids == prefix


def test_unknown_words_are_named_once_with_questions_that_are_known(word_checkpoint: Path) -> None:
    chat, _ = _chat(word_checkpoint, closed=True)
    with pytest.raises(UnknownWords) as raised:
        chat.question_ids('was the zebra left of the zebra or the cow ?')
    assert raised.value.words == ['zebra', 'of', 'or', 'cow']
    assert raised.value.examples == EXAMPLES
    message = str(raised.value)
    assert "'zebra', 'of', 'or', 'cow'" in message
    assert message.endswith('such as "what color was the car", "was the dog red"')


def test_a_thousand_unknown_words_make_a_short_message(word_checkpoint: Path) -> None:
    chat, _ = _chat(word_checkpoint, closed=True)
    with pytest.raises(UnknownWords, match='and 890 more') as raised:
        chat.question_ids(' '.join(f'w{number}' for number in range(900)))
    assert len(str(raised.value)) < 500


def test_one_endless_unknown_word_makes_a_short_message(word_checkpoint: Path) -> None:
    chat, _ = _chat(word_checkpoint, closed=True)
    with pytest.raises(UnknownWords) as raised:
        chat.question_ids('x' * 100_000)
    assert len(str(raised.value)) < 500


def test_an_open_vocabulary_takes_any_word(word_checkpoint: Path) -> None:
    chat, _ = _chat(word_checkpoint)
    assert chat.question_ids('was the zebra left')


@pytest.mark.parametrize(
    ('question', 'said'),
    [
        ('is it left <video> ?', "holds '<video>', a marker of the chat"),
        ('car ' * 2000, r'has 20\d\d tokens, at most 10\d\d fit: shorten it'),
        ('a\udcffb', 'not valid Unicode'),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(
    word_checkpoint: Path, question: str, said: str
) -> None:
    chat, _ = _chat(word_checkpoint)
    with pytest.raises(BadQuestion, match=said):
        chat.question_ids(question)


@pytest.mark.parametrize(
    'template',
    [
        'no video here',
        '<video> comes first',
        'two <video> of <video> them',
        '{% broken',
        '{% include "another" %}',
        '{{ 1 + "a" }}',
        '{{ 1 / 0 }}',
    ],
)
def test_a_template_without_one_video_after_some_text_is_refused(
    word_checkpoint: Path, template: str
) -> None:
    tokenizer = open_tokenizer(word_checkpoint)
    tokenizer.chat_template = template
    with pytest.raises(CheckpointError, match='chat template'):
        Chat(tokenizer, video=VideoText(5), vocabulary={})


@pytest.mark.parametrize('examples', [5, 'what ?', ['what ?']])
def test_examples_that_are_no_questions_by_kind_are_refused(
    word_checkpoint: Path, examples: object
) -> None:
    tokenizer = open_tokenizer(word_checkpoint)
    with pytest.raises(CheckpointError, match='has examples that are a .*, expected a question'):
        Chat(tokenizer, video=VideoText(5), vocabulary={'closed': True, 'examples': examples})
