"""Write `data/contracts/expectations.json` anew: `python tests/data/contracts/known_expectations.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lepton_pipeline.data.contracts import expectations
from lepton_pipeline.data.contracts.validation import quiet_great_expectations

# Fields of the base classes that the contract stage sets itself or that do nothing in it.
SET_BY_THE_STAGE = {
    "batch_id",
    "catch_exceptions",
    "id",
    "library_metadata",
    "meta",
    "rendered_content",
    "result_format",
    "severity",
    "windows",
}
# A column of a typed table has one type: these name no row although their class is row-wise.
WHOLE_COLUMN = {"column_values_to_be_of_type", "column_values_to_be_in_type_list"}
# Without these, Great Expectations compares a column with itself and passes.
ADDED_HERE = {"column_kl_divergence_to_be_less_than": {"partition_object", "threshold"}}


def installed() -> dict[str, dict[str, Any]]:
    """What the installed Great Expectations says of its expectations, by name."""
    with quiet_great_expectations():
        from great_expectations.expectations import expectation, registry

        maps = (
            expectation.ColumnMapExpectation,
            expectation.ColumnPairMapExpectation,
            expectation.MulticolumnMapExpectation,
        )
        # Registered too, but without the prefix: one that takes an SQL query.
        names = [name for name in registry.list_registered_expectation_implementations() if "expect_" in name]
        found = {}
        for name in sorted(each.removeprefix("expect_") for each in names):
            if name in expectations.UNUSABLE:
                continue
            cls = registry.get_expectation_impl(f"expect_{name}")
            fields = {key: field for key, field in cls.__fields__.items() if key not in SET_BY_THE_STAGE}
            required = {key for key, field in fields.items() if field.required} | ADDED_HERE.get(name, set())
            found[name] = {
                "required": sorted(required),
                "optional": sorted(fields.keys() - required),
                "row_wise": issubclass(cls, maps) and name not in WHOLE_COLUMN,
            }
    return found


def as_text(known: dict[str, dict[str, Any]]) -> str:
    """As JSON, an expectation a line."""
    return (
        "{\n"
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in known.items())
        + "\n}\n"
    )


if __name__ == "__main__":
    Path(expectations.__file__).with_suffix(".json").write_text(as_text(installed()), "utf-8")
