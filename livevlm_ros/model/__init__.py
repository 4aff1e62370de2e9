# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
LLaVA-OneVision on one stream: frames to tokens, questions to tokens, tokens through the layers.

transformers supplies weights, vision tower, projector, pooling and tokenizer; the language layers
run over a memory view. This room knows no deadlines and no ROS.
"""

from livevlm_ros.model.chat import BadQuestion, QuestionPrompt, UnknownWords
from livevlm_ros.model.checkpoint import CheckpointError
from livevlm_ros.model.config import ModelConfig
from livevlm_ros.model.familiarity import Familiarity, token_figures
from livevlm_ros.model.likelihood import AnswerToken, log_shares
from livevlm_ros.model.video_language_model import VideoLanguageModel, load_model

__all__ = [
    'AnswerToken',
    'BadQuestion',
    'CheckpointError',
    'Familiarity',
    'ModelConfig',
    'QuestionPrompt',
    'UnknownWords',
    'VideoLanguageModel',
    'load_model',
    'log_shares',
    'token_figures',
]
