from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.tuning.patch import patch_text, patched

CHANGES = {"learning_rate": 0.00012, "layers": 3, "boosting": False}
FILES = sorted((REPOSITORY / "conf/base").glob("*/parameters.yml"))


@pytest.mark.parametrize("file", FILES, ids=[file.parent.name for file in FILES])
def test_in_the_file_of_every_vertical_only_its_training_changes(file: Path):
    text, vertical = file.read_text(encoding="utf-8"), file.parent.name
    found = patched(text, vertical, CHANGES)
    before = yaml.safe_load(text)[vertical]
    assert yaml.safe_load(found)[vertical] == before | {"training": before.get("training", {}) | CHANGES}
    changed = [line for line in difflib.ndiff(text.splitlines(), found.splitlines()) if line[:1] in "+-?"]
    assert len(changed) <= 5
    assert not [line for line in changed if line.startswith("-") and "training" not in line]
    # A second search changes what the first one wrote.
    again = patched(found, vertical, {"layers": 4})
    assert yaml.safe_load(again)[vertical]["training"]["layers"] == 4


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "shop:\n  training: # ours\n    layers: 2 # enough\n    # wide\n    width: 64\n  # next\n  gate: {}\n",
            "shop:\n  training: # ours\n    layers: 3 # enough\n    # wide\n    width: 64\n"
            "    learning_rate: 0.00012\n    boosting: false\n  # next\n  gate: {}\n",
        ),
        (
            "shop:\n  training: {layers: 2, width: 64} # ours\n",
            "shop:\n  training: {layers: 3, width: 64, learning_rate: 0.00012, boosting: false} # ours\n",
        ),
        (
            "shop:\n  training: {}\n",
            "shop:\n  training: {learning_rate: 0.00012, layers: 3, boosting: false}\n",
        ),
        (
            # Without an end of the last line, and with a text of several lines before it.
            "shop:\n    about:\n        question: |\n            Why?\n\n# The end",
            "shop:\n    about:\n        question: |\n            Why?\n\n    training:\n      learning_rate: 0.00012\n"
            "      layers: 3\n      boosting: false\n# The end",
        ),
        (
            "shop:\n  gate: {}",
            "shop:\n  gate: {}\n  training:\n    learning_rate: 0.00012\n    layers: 3\n    boosting: false\n",
        ),
    ],
)
def test_comments_and_order_stay(before, after):
    assert patched(before, "shop", CHANGES) == after


@pytest.mark.parametrize(
    "text",
    [
        "base: &base {layers: 2}\nshop:\n  training: *base\n",
        "shop: {gate: {}}\n",
        "shop:\n  training: quick\n",
        "base: &base\n  layers: 2\nshop:\n  training:\n    <<: *base\n    width: 8\nother:\n  training: *base\n",
        "others:\n  gate: {}\n",
    ],
)
def test_what_cannot_be_edited_safely_is_left_to_a_person_with_the_patch(text):
    changes = {"layers": 3}
    if "<<" in text:
        # A key of its own goes before a merged one, so that this can be edited.
        assert yaml.safe_load(patched(text, "shop", changes))["other"]["training"] == {"layers": 2}
        return
    with pytest.raises(ConfigurationError, match="cannot be edited") as refused:
        patched(text, "shop", changes)
    assert patch_text("shop", changes) in str(refused.value)
