"""What `docs/explanation.md` says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from lepton_pipeline.evaluation import explanation
from lepton_pipeline.model import attribution
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.tasks.binary import Binary

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "explanation.md").read_text(encoding="utf-8")
WORDS = {5: "five", 8: "eight", 12: "twelve"}


def test_numbers_are_those_of_the_code():
    assert f"{Evaluation().explained_rows:,} unless\ndeclared" in TEXT
    assert f"the mean over {WORDS[explanation.PERMUTATIONS]} such permutations" in TEXT
    assert f"at each value where there are at most {WORDS[explanation._VALUES]}" in TEXT
    assert f"categories at their\n{WORDS[explanation._CATEGORIES]} most frequent values" in TEXT
    assert f"effects below {Binary().smallest_effect} are not shown" in TEXT
    assert re.search(r"^\| \*\*(\d+)\*\*", TEXT, re.M)[1] == str(attribution.PAIRS)


def test_the_picture_is_there():
    for name in re.findall(r"!\[.+\]\((.+)\)", TEXT):
        assert (DOCS / name).is_file()
