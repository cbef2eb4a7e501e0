"""What `docs/text.md` says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from lepton_pipeline.features import grams, row_words, sentence_part, text, text_folds, words
from lepton_pipeline.hooks.declaration import EMBEDDINGS
from lepton_pipeline.parameters import Dataset, Features, Text, Vertical
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.regression import Regression

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs/text.md").read_text(encoding="utf-8")


def test_numbers_are_those_of_the_code():
    shares = sentence_part.SHARES
    many = next(outputs for outputs in range(1, 1000) if text._most_known(outputs) < text.MOST_KNOWN)
    alphas = [f"{Regression().text_model(each).alpha:g}" for each in Regression().text_strengths]
    strengths = [f"{Binary().text_model(each).C:g}" for each in Binary().text_strengths]
    for said in (
        f"the first {text.MOST_CHARACTERS:,} |",
        f"| {text.MOST_ROWS:,}, or as many as have {text._MOST_LEARNT // 10**6} million characters",
        f"{text.MOST_KNOWN:,} words and pairs, and as many pieces; fewer from {many} outputs on",
        f"{text._FEWEST_KNOWN:,} at least",
        "pieces of {} to {} characters".format(*grams.PIECES["ngram_range"]),
        f"a {grams.HASHES.bit_length() - 1}-bit hash",
        f"(C {' and '.join(strengths)}, alpha {' and '.join(alphas)})",
        f"in at least\n   {text_folds._JUDGED:,} such rows",
        f"at least {row_words.FEWEST_ROWS} rows share",
        "five, drawn by chance",
        "{:g}, {:g}, {:g} and {:g} that the next does not better".format(*sentence_part.STRENGTHS),
        f"the one of {shares[0]:g}, {shares[1]} to {shares[-1]:g} with the lowest loss",
        f"`{words.WHOLE}`",
        f"`{EMBEDDINGS}`",
    ):
        assert said in PAGE
    assert text.FOLDS == 5


def test_declarations_are_those_of_the_verticals():
    short, lodging, sentences, retrieval = (
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    )
    declared = yaml.safe_load((REPOSITORY / "conf/base/lodging/parameters.yml").read_text())["lodging"][
        "dataset"
    ]
    assert lodging["lodging"]["dataset"].items() <= declared.items()
    assert Dataset(**short["dataset"]).text == declared["text"]
    encoder = Features(**sentences["features"]).text
    assert encoder is not None
    Vertical.model_validate(retrieval | {"dataset": {"target": "y", "classes": "all", "text": ["text"]}})
    keys = [name for name, field in Text.model_fields.items() if not field.exclude]
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.M) == keys
