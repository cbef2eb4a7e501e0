"""Every key of a declaration as a page."""

from pathlib import Path

import pytest

from lepton_pipeline.parameters.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_page_is_what_the_models_say():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "write it again: python -m lepton_pipeline.parameters.reference > docs/reference.md"
    )


@pytest.mark.parametrize(
    "row",
    [
        "| `target` | text | required | name of the column to predict |",
        "| `epochs` | whole number, at least 1 | `200` | most passes over the training rows |",
        "| `mask` | part |  | personal data in text, replaced before anything else sees it |",
        "| `starttls` | boolean | `true` | whether the connection is encrypted before anything is sent |",
        "| `separator` | text | `,` | one character between two fields |",
    ],
)
def test_a_row_has_key_type_default_and_a_line(row):
    assert row in reference().splitlines()


@pytest.mark.parametrize("path", ["dataset", "tables.<name>.expectations[]", "features.windows.<name>"])
def test_a_part_is_headed_by_its_path(path):
    assert f"## `{path}`" in reference().splitlines()


def test_every_key_has_its_line():
    assert "|  |\n" not in reference()
