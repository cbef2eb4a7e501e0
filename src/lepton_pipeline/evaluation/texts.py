"""What columns of texts hold, and which of their words tell most of the target."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lepton_pipeline.features.column_encoders import RARE_ROWS, enough_rows
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.text import TextColumn, cleaned
from lepton_pipeline.features.words import frequent_words, joined
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.samples import sample_positions
from lepton_pipeline.tasks.find import Target

# Of more training rows a sample is read.
MOST_ROWS = 50_000
_MOST_CLASSES, _WORDS = 30, 10
# Scripts whose names in Unicode say little to a reader.
_NAMES = {"Cjk": "Chinese", "Hangul": "Korean"}


@dataclass(frozen=True)
class Spread:
    """Quantiles of a length: 5 %, one half and 95 % of the texts are not longer."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Word:
    """A word or a pair of words.

    Its weight is the score of the word as a text, less that of the empty text, in standard deviations of scores.
    """

    text: str
    weight: float
    rows: int  # of those read, that hold it


@dataclass(frozen=True)
class Tendency:
    """The words that tell most for a class, or that most raise or lower a number."""

    towards: str
    words: list[Word]


@dataclass(frozen=True)
class Text:
    """A column of texts in the training rows."""

    column: str
    rows: int
    missing: int
    read: int  # rows that the figures below are of
    empty: int  # present texts without any character but blanks
    words: Spread  # lengths of texts that are neither missing nor empty
    characters: Spread
    scripts: dict[str, float]  # share of the letters by script, the largest first
    fewest: int  # rows that must hold a word to be listed
    tendencies: list[Tendency]
    more_classes: int = 0  # rarer classes, whose words are not listed
    # weight of the sentence in the blend with its words, and the encoder; None and "" if none was declared
    share: float | None = None
    encoder: str = ""


@dataclass(frozen=True)
class Texts:
    """The columns of texts that a model reads; none without `dataset.text`."""

    columns: list[Text] = field(default_factory=list)


def describe_texts(
    feature_table: pd.DataFrame, split: pd.DataFrame, encoder: Encoder, target: Target
) -> Texts:
    """Describe the texts of the training rows, and list their most telling words.

    A word is listed if at least 10 rows hold it, as rarer ones may identify a person.
    """
    columns = [column for column in encoder.columns if isinstance(column, TextColumn)]
    training = split.index[split["part"] == "train"]
    labels = split.loc[training, "label"]
    return Texts(
        [_describe(column, feature_table.loc[training, column.name], labels, target) for column in columns]
    )


def _describe(column: TextColumn, texts: pd.Series, labels: pd.Series, target: Target) -> Text:
    read = texts.iloc[sample_positions(len(texts), MOST_ROWS)]
    present = read.dropna().astype(str)
    full = present[present.str.strip() != ""]
    clean = cleaned(full)
    fewest = max(RARE_ROWS, enough_rows(len(texts)))
    tendencies = target.task.text_tendencies
    # Classes are labels by their place.
    frequent = set(labels.value_counts().index[:_MOST_CLASSES])
    told = [each for each in tendencies if len(tendencies) <= _MOST_CLASSES or each[1] in frequent]
    return Text(
        column.name,
        len(texts),
        int(texts.isna().sum()),
        len(read),
        len(present) - len(full),
        _spread(full.str.count(r"\S+")),
        _spread(full.str.len()),
        _scripts(clean),
        fewest,
        _tendencies(column, frequent_words(clean, fewest), told),
        len(tendencies) - len(told),
        column.share,
        "" if column.sentences is None else column.sentences.encoder.name,
    )


def _tendencies(
    column: TextColumn, counts: dict[tuple[str, ...], int], told: Iterable[tuple[str, int, int]]
) -> list[Tendency]:
    scores = column.word_scores(pd.Series(["", *map(joined, counts)], dtype=object)).astype(np.float64)
    weights = dict(zip(counts, scores[1:] - scores[0], strict=True))
    return [Tendency(towards, _strongest(weights, counts, *of)) for towards, *of in told]


def _strongest(
    weights: dict[tuple[str, ...], Floats], counts: dict[tuple[str, ...], int], output: int, sign: int
) -> list[Word]:
    """The words with the largest weights of a sign; a pair must have more than each of its words."""
    own = {words: sign * float(weight[output]) for words, weight in weights.items()}
    told = [
        words
        for words, weight in own.items()
        if weight > max([0.0, *(own[(word,)] for word in words if len(words) > 1)])
    ]
    ranked = sorted(told, key=lambda words: -own[words])[:_WORDS]
    return [Word(joined(words), sign * own[words], counts[words]) for words in ranked]


def _spread(lengths: pd.Series) -> Spread:
    if lengths.empty:
        return Spread(0.0, 0.0, 0.0)
    return Spread(*(float(each) for each in np.quantile(lengths, (0.05, 0.5, 0.95))))


def _scripts(texts: Iterable[str]) -> dict[str, float]:
    """Share of each script of the letters, by the first word of their names in Unicode."""
    scripts: Counter[str] = Counter()
    characters = Counter(character for text in texts for character in text)
    for character, count in characters.items():
        if character.isalpha():
            # Letters of other widths or styles are those of their script.
            plain = unicodedata.normalize("NFKC", character)[0]
            name = unicodedata.name(plain, "other").replace("-", " ").split()[0].capitalize()
            scripts[_NAMES.get(name, name)] += count
    total = sum(scripts.values())
    ranked = sorted(scripts.items(), key=lambda item: (-item[1], item[0]))
    return {script: count / total for script, count in ranked}
