"""Runs on few rows and epochs, which test that everything fits together, not the model's quality."""

from __future__ import annotations

from collections.abc import Mapping

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters import Vertical

ROWS, EPOCHS = "LEPTON_ROWS", "LEPTON_EPOCHS"


def slice_words(environment: Mapping[str, str]) -> str:
    """What `LEPTON_ROWS` and `LEPTON_EPOCHS` ask for; empty if neither is set.

    >>> slice_words({"LEPTON_ROWS": "2000"})
    'at most 2,000 rows (LEPTON_ROWS)'
    """
    asked = {"rows": ROWS, "epochs": EPOCHS}
    found = [(_number(environment, name), words, name) for words, name in asked.items()]
    return ", ".join(f"at most {number:,} {words} ({name})" for number, words, name in found if number)


def sliced(declared: Vertical, environment: Mapping[str, str]) -> Vertical:
    """The declaration of a run on a slice, with that caution; ConfigurationError for an invalid number."""
    words = slice_words(environment)
    about, split, training = declared.about, declared.split, declared.training
    if not words or words in about.caution:
        return declared
    rows, epochs = (_number(environment, name) for name in (ROWS, EPOCHS))
    caution = [about.caution.rstrip("."), f"a slice, not a real run: {words}"]
    fewest = min(filter(None, (rows, split.rows)), default=None)
    shortest = min(epochs or training.epochs, training.epochs)
    return declared.model_copy(
        update={
            "about": about.model_copy(update={"caution": "; ".join(filter(None, caution))}),
            "split": split.model_copy(update={"rows": fewest}),
            "training": training.model_copy(update={"epochs": shortest}),
        }
    )


def _number(environment: Mapping[str, str], name: str) -> int:
    given = environment.get(name, "")
    if not given:
        return 0
    if not given.isascii() or not given.isdigit() or int(given) == 0:
        raise ConfigurationError(f"{name}: {given!r} must be a whole number above 0; unset it to use all.")
    return int(given)
