from typing import Any

import pytest
from omegaconf import OmegaConf

from lepton_pipeline.onboarding.new.render import render, scalar


@pytest.mark.parametrize(
    "value",
    ["yes", "y", "No", "on", "null", "~", "", " a", "a: b", "a #b", "1e3", "1_000", "0x1f", "012", "12:30",
     "2026-01-01", "a, b", "[x]", "{x}", "- a", "?",
     "'", '"', "back\\slash", "Zürich", "*x", "&x", "%x", "@x", "!x", "a\nb", ".5",
     "${x}", "\\${x}", True, 0, -3, 1.5, 1e-7, 1e22, 10.0],
)  # fmt: skip
def test_any_value_reads_back_as_it_was(value: Any) -> None:
    text = render("v", {"dataset": {"target": value, "exclude": [value, "b"]}, "x": {"k": value}}, {}, "head")
    assert OmegaConf.to_container(OmegaConf.create(text), resolve=True) == {
        "v": {"dataset": {"target": value, "exclude": [value, "b"]}, "x": {"k": value}}
    }


def test_plain_texts_are_not_quoted() -> None:
    assert [scalar(text) for text in ("default payment next month", "Month-to-month", "hour(date)")] == [
        "default payment next month",
        "Month-to-month",
        "hour(date)",
    ]
