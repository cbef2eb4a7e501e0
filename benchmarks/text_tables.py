"""Tables with columns of texts, divided for `text.py`: bundled, from a folder, or drawn here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from quality import read_declaration

from lepton_pipeline.parameters import Vertical

PART = "part"
# Texts of a class that the table with few of them is learnt from; the last one is for validation.
FEW = 5


@dataclass(frozen=True)
class TextTable:
    """A table with texts.

    Attributes:
        about: what is predicted from what.
        make: the table of a seed, with the part of every row; from the bundled tables and the folder of the others.
        roles: of its columns, as in `dataset`.
        seeds: how often it is divided.
    """

    about: str
    make: Callable[[Sources, int], pd.DataFrame]
    roles: Mapping[str, Any]
    seeds: int

    @property
    def declared(self) -> Vertical:
        """Its declaration; the parts are those of the column."""
        split = {"strategy": "column", "column": PART, "validation": ["validation"], "test": ["test"]}
        return Vertical.model_validate(
            {"dataset": dict(self.roles), "split": split, "leaks": {"on_leak": "warn"}}
        )


@dataclass(frozen=True)
class Sources:
    """Where tables come from: `features` of a project that has run, and `data`, the folder of others."""

    features: Path
    data: Path | None

    def bundled(self, vertical: str) -> pd.DataFrame:
        """The table of a vertical, with what is derived."""
        return pd.read_parquet(self.features / "data/04_feature" / vertical / "feature_table.parquet")

    def file(self, name: str) -> Path:
        """A file of the folder of others."""
        if self.data is None:
            raise SystemExit(f"{name} is not bundled: give the folder that holds it with --data.")
        return self.data / name


def _intents(sources: Sources, seed: int) -> pd.DataFrame:
    table = pd.read_csv(sources.file("customer_service/clinc150.csv.xz"))
    return table[table["intent"] != "oos"].reset_index(drop=True)


def _few_intents(sources: Sources, seed: int) -> pd.DataFrame:
    table = _intents(sources, seed).sample(frac=1, random_state=seed)
    place = table.groupby(["intent", PART]).cumcount()
    kept = (table[PART] == "test") | ((table[PART] == "train") & (place < FEW))
    few = table[kept].assign(
        part=table[PART].mask((table[PART] == "train") & (place == FEW - 1), "validation")
    )
    return few.sort_index().reset_index(drop=True)


def _headlines(sources: Sources, seed: int) -> pd.DataFrame:
    table = sources.bundled("opinion")
    return table.assign(part=_fold_parts(table["opinion"], None, seed))


def _lodging(sources: Sources, seed: int) -> pd.DataFrame:
    table = sources.bundled("lodging")
    return table.assign(part=_fold_parts(table["host_id"], table["host_id"], seed))


def _reviews(sources: Sources, seed: int) -> pd.DataFrame:
    file = sources.file("opinion/amazonReviewSnippets_GroundTruth.txt")
    table = pd.read_csv(file, sep="\t", names=["id", "rating", "text"], quoting=3)
    table["review"] = table.pop("id").str.rpartition("_")[0]
    return table.assign(part=_fold_parts(table["review"], table["review"], seed))


def _without_blanks(sources: Sources, seed: int) -> pd.DataFrame:
    """Texts of 300 characters of the CJK block: classes differ in pairs of them, not in single ones."""
    generator = np.random.default_rng(seed)
    characters = np.array([chr(0x4E00 + place) for place in generator.permutation(5000)[:300]])
    rows, kinds, pairs = 4000, 8, 60
    # Every class has a pair of each first character, with another second one.
    first = generator.permutation(300)[:pairs]
    second = np.array([generator.permutation(first) for _ in range(kinds)])
    labels = generator.integers(kinds, size=rows)
    texts = []
    for label in labels:
        # One pair in three is of another class.
        whose = np.where(generator.random(3) < 1 / 3, generator.integers(kinds, size=3), label)
        picked = generator.integers(pairs, size=3)
        told = [
            "".join(characters[[first[at], second[of, at]]]) for at, of in zip(picked, whose, strict=True)
        ]
        noise = [
            "".join(characters[generator.integers(300, size=generator.integers(2, 9))]) for _ in range(4)
        ]
        texts.append(noise[0] + "".join(a + b for a, b in zip(told, noise[1:], strict=True)))
    table = pd.DataFrame({"text": texts, "kind": [f"kind {label}" for label in labels]})
    return table.assign(part=_fold_parts(table["kind"], None, seed))


def _fold_parts(units: pd.Series, groups: pd.Series | None, seed: int) -> np.ndarray:
    """Part of every row: the fold `seed` is the test, the next one the validation; classes or groups are divided."""
    from sklearn.model_selection import GroupKFold, StratifiedKFold

    cutter = StratifiedKFold if groups is None else GroupKFold
    folds = cutter(5, shuffle=True, random_state=0).split(units, units, groups)
    held_out = [each for _, each in folds]
    parts = np.full(len(units), "train", dtype=object)
    parts[held_out[(seed + 1) % 5]], parts[held_out[seed]] = "validation", "test"
    return parts


_INTENTS = {"target": "intent", "classes": "all", "text": ["text"], "exclude": ["domain"]}


def _roles(vertical: str, **changed: Any) -> dict[str, Any]:
    declared = read_declaration(vertical).dataset.model_dump(exclude_defaults=True)
    return {**declared, **changed}


# By the name that `--tables` takes.
TEXT_TABLES = {
    "intents": TextTable(
        "CLINC150 in scope: 150 intents of short requests, the published parts", _intents, _INTENTS, 1
    ),
    "few intents": TextTable(
        f"the same, learnt from {FEW} texts of each intent, four of them for training",
        _few_intents,
        _INTENTS,
        3,
    ),
    "headlines": TextTable(
        "SEntFiN: opinion (3) of financial headlines, 3 of 5 folds", _headlines, _roles("opinion"), 3
    ),
    "lodging": TextTable(
        "Asheville: log price, title beside numbers, 5 folds by host", _lodging, _roles("lodging"), 5
    ),
    "lodging without title": TextTable(
        "the same without the title", _lodging, _roles("lodging", text=[], exclude=["id", "name"]), 5
    ),
    "reviews": TextTable(
        "rating (-4 to 4) of sentences of customers, 5 folds by review",
        _reviews,
        {"target": "rating", "task": "regression", "text": ["text"], "group": "review"},
        5,
    ),
    "without blanks": TextTable(
        "drawn: 8 kinds of texts in a script without blanks, told apart by pairs of characters, 3 draws",
        _without_blanks,
        {"target": "kind", "classes": "all", "text": ["text"]},
        3,
    ),
}
