"""Texts of a few topics, each with words of its own beside words of all."""

from __future__ import annotations

import numpy as np
import pandas as pd

_EVERYWHERE, _OF_A_TOPIC = 30, 300


def draw_texts(rows: int, seed: int, topics: tuple[int, ...] = (0, 1, 2, 3), gaps: float = 0.05) -> pd.Series:
    """Draw texts of some ten words; a share of `gaps` is missing."""
    random = np.random.default_rng(seed)
    everywhere, own = (1 / np.arange(1, count + 1) for count in (_EVERYWHERE, _OF_A_TOPIC))
    texts: list[str | None] = []
    for topic in random.choice(topics, rows):
        plain = random.choice(_EVERYWHERE, 1 + random.poisson(5), p=everywhere / everywhere.sum())
        of_topic = random.choice(_OF_A_TOPIC, 1 + random.poisson(4), p=own / own.sum())
        words = [f"the{number}" for number in plain] + [f"topic{topic}word{number}" for number in of_topic]
        texts.append(None if random.random() < gaps else " ".join(words))
    return pd.Series(texts, name="text", dtype=object)
