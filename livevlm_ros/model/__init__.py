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
from livevlm_ros.model.video_language_model import VideoLanguageModel, load_model

__all__ = [
    'BadQuestion',
    'CheckpointError',
    'ModelConfig',
    'QuestionPrompt',
    'UnknownWords',
    'VideoLanguageModel',
    'load_model',
]
