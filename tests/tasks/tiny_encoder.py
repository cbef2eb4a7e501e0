"""A tiny encoder of sentences, made here: synonyms have one vector, so texts mean something beyond their words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

_LETTERS = np.random.default_rng(0).permuted(np.tile(list("abcdefghijklmnoprstuvwz"), (200, 1)), axis=1)
_WORDS = ["".join(letters[:8]) for letters in _LETTERS]
GOOD, BAD = _WORDS[:100], _WORDS[100:]
FILLING = ["the", "room", "was", "on", "day", *map(str, range(10))]


def save_encoder(folder: Path) -> Path:
    """A model of sentence-transformers whose first number is the mean opinion of a text's words."""
    pytest.importorskip("sentence_transformers", reason="it is not installed: pip install '.[text]'")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[UNK]", *GOOD, *BAD, *FILLING]
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.random.default_rng(0).normal(scale=0.1, size=(len(words), 8)).astype(np.float32)
    told = 1 + np.arange(len(_WORDS))
    vectors[told] = 0
    vectors[told, 0] = np.repeat([1, -1], [len(GOOD), len(BAD)])
    SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=vectors)], device="cpu"
    ).save_pretrained(str(folder), create_model_card=False)
    return folder
