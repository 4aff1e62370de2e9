# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A video language model on one stream: frames to tokens, questions to tokens, tokens through layers.

transformers supplies weights, vision tower, projector and tokenizer; the language layers run over
a memory view. What is particular to a kind of model is a module of `families/`. This room knows
no deadlines and no ROS. Its names bring torch in when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livevlm_ros.late import late
from livevlm_ros.model.config import ModelConfig
from livevlm_ros.model.folder import CheckpointError, checkpoint_folder

if TYPE_CHECKING:
    from livevlm_ros.model.absence import Absence
    from livevlm_ros.model.chat import BadQuestion, QuestionPrompt, UnknownWords
    from livevlm_ros.model.familiarity import Familiarity, token_figures
    from livevlm_ros.model.likelihood import AnswerToken, likelihood_temperature, log_shares
    from livevlm_ros.model.video_language_model import VideoLanguageModel, load_model

__all__ = [
    'Absence',
    'AnswerToken',
    'BadQuestion',
    'CheckpointError',
    'Familiarity',
    'ModelConfig',
    'QuestionPrompt',
    'UnknownWords',
    'VideoLanguageModel',
    'checkpoint_folder',
    'likelihood_temperature',
    'load_model',
    'log_shares',
    'token_figures',
]

_LATE = {
    'Absence': 'livevlm_ros.model.absence',
    'AnswerToken': 'livevlm_ros.model.likelihood',
    'BadQuestion': 'livevlm_ros.model.chat',
    'Familiarity': 'livevlm_ros.model.familiarity',
    'QuestionPrompt': 'livevlm_ros.model.chat',
    'UnknownWords': 'livevlm_ros.model.chat',
    'VideoLanguageModel': 'livevlm_ros.model.video_language_model',
    'likelihood_temperature': 'livevlm_ros.model.likelihood',
    'load_model': 'livevlm_ros.model.video_language_model',
    'log_shares': 'livevlm_ros.model.likelihood',
    'token_figures': 'livevlm_ros.model.familiarity',
}

__getattr__ = late(__name__, _LATE)
