"""Evaluate checks with Great Expectations, without its noise and its network calls."""

from __future__ import annotations

import io
import math
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.contracts.checks import Check
from lepton_pipeline.data.contracts.expectations import known_expectation
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.logs import silenced
from lepton_pipeline.system.signals import OutOfTimeError, time_limit

_PATTERNS = ("regex", "regex_list")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# Time limit of patterns: a base, and rows a second.
_SECONDS, _ROWS_A_SECOND = 60, 10_000


@dataclass(frozen=True)
class Verdict:
    """Result of the evaluation of one check.

    Attributes:
        evaluated: otherwise `error` or `blocked` says why not.
        positions: rows that do not conform, counted from 0; empty for checks of the whole table or column.
        unexpected: their number, also beside `success` if the check declares `mostly`; None for such checks.
        considered: rows that the check looked at, those with missing values left out.
        observed: what the table showed instead, for checks of the whole table or column.
    """

    success: bool
    evaluated: bool = True
    positions: list[int] = field(default_factory=list)
    unexpected: int | None = None
    considered: int = 0
    observed: Any = None
    error: str | None = None
    blocked: str | None = None


def evaluate_checks(table: pd.DataFrame, checks: list[Check], blocked: dict[int, str]) -> list[Verdict]:
    """Give one verdict a check, in order; `blocked` has the reasons not to evaluate, by position.

    An exception inside Great Expectations becomes a verdict with `error`; a ConfigurationError says which
    argument it refuses, or which pattern takes too long.
    """
    with quiet_great_expectations():
        expectations = [_expectation(position, check, table) for position, check in enumerate(checks)]
        runnable = {position: each for position, each in enumerate(expectations) if position not in blocked}
        # Great Expectations was wrong about rows under an index that does not count from 0 (GX#12095).
        results = _run_in_time(table.reset_index(drop=True), runnable, checks) if runnable else {}
        return [
            Verdict(False, False, blocked=blocked[at])
            if at in blocked
            else _verdict(check, results.get(at, RuntimeError("no result was returned")))
            for at, check in enumerate(checks)
        ]


@contextmanager
def quiet_great_expectations() -> Iterator[None]:
    """Run Great Expectations without analytics, progress bars, log lines or warnings."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Some progress bars ignore the context's setting, so what is written to stderr goes nowhere.
    with silenced("great_expectations"), warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def great_expectations_context() -> Any:
    """A context in memory that sends nothing."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    # The setting is looked up as a dictionary: an object of GX's own class for it is ignored, and so is None.
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


def plain_value(value: Any) -> Any:
    """A value as JSON can hold it; missing values become None, infinity becomes text."""
    if isinstance(value, dict):
        return {str(key): plain_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [plain_value(each) for each in value]
    if isinstance(value, np.generic):
        return plain_value(value.item())
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str) else str(value)


def _expectation(position: int, check: Check, table: pd.DataFrame) -> Any:
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.expectations.registry import get_expectation_impl

    arguments = {name: value for name, value in check.arguments.items() if name != "description"}
    columns = [table[name] for name in check.columns if name in table.columns]
    if any(pd.api.types.is_datetime64_any_dtype(column) for column in columns):
        # As times, which Great Expectations can compare.
        days = [name for name in ("min_value", "max_value") if _DAY.fullmatch(str(arguments.get(name)))]
        arguments |= {name: f"{arguments[name]}T00:00:00" for name in days}
    try:
        return get_expectation_impl(f"expect_{check.expect}")(**arguments, meta={"check": position})
    except ValidationError as error:
        reasons: dict[str, list[str]] = {}
        for refused in error.errors():
            reasons.setdefault(str(refused["loc"][0]), []).append(str(refused["msg"]))
        lines = []
        for name, messages in reasons.items():
            known = name in check.arguments
            key, value = (
                (f"{check.key}.{name}", check.arguments[name]) if known else (check.key, check.arguments)
            )
            said = "; ".join(dict.fromkeys(messages))
            lines.append(f"{key}: {check.expect} does not take {value!r}: {said}. Correct the value.")
        raise ConfigurationError("\n".join(lines)) from error


def _run_in_time(table: pd.DataFrame, expectations: dict[int, Any], checks: list[Check]) -> dict[int, Any]:
    """Evaluate, but stop a pattern with catastrophic backtracking."""
    patterns = [
        f"{check.key}.{name}: {value!r}"
        for check in checks
        for name, value in check.arguments.items()
        if name in _PATTERNS
    ]
    seconds = _SECONDS + len(table) / _ROWS_A_SECOND
    try:
        with time_limit(seconds) if patterns else nullcontext():
            return _run(table, expectations)
    except OutOfTimeError as error:
        raise ConfigurationError(
            f"{', '.join(patterns)}: to look for this takes longer than {seconds:.0f} s in {len(table):,} "
            "rows; write it without a repetition inside of a repetition, such as (x+)+."
        ) from error


def _run(table: pd.DataFrame, expectations: dict[int, Any]) -> dict[int, Any]:
    """Great Expectations' result of each expectation, or the exception that it raised."""
    import great_expectations as gx

    context = great_expectations_context()
    definition = context.data_sources.add_pandas("run").add_dataframe_asset("table")
    batch = definition.add_batch_definition_whole_dataframe("all rows").get_batch({"dataframe": table})
    result_format = {"result_format": "COMPLETE", "return_unexpected_index_query": False}
    suite = gx.ExpectationSuite(name="contract", expectations=list(expectations.values()))
    found: dict[int, Any] = {}
    try:
        results = batch.validate(suite, result_format=result_format).results
        return {result.expectation_config.meta["check"]: result for result in results}
    except Exception:  # One expectation can break the whole suite: find out which.
        for position, each in expectations.items():
            # Whatever it raises is reported as a check that could not be evaluated.
            try:
                found[position] = batch.validate(each, result_format=result_format)
            except Exception as error:
                found[position] = error
    return found


def _verdict(check: Check, result: Any) -> Verdict:
    if isinstance(result, Exception):
        return Verdict(False, False, error=f"{type(result).__name__}: {result}")
    information = result.exception_info
    raised = [information] if "raised_exception" in information else list(information.values())
    messages = [str(each["exception_message"]).strip() for each in raised if each["raised_exception"]]
    if messages:
        return Verdict(False, False, error="; ".join(dict.fromkeys(messages)))
    found = result.result
    positions = [int(position) for position in found.get("unexpected_index_list") or []]
    unexpected = found.get("unexpected_count") if known_expectation(check.expect).row_wise else None
    named = bool(positions) and len(positions) == unexpected
    if not result.success and check.on_failure == "quarantine" and not named:
        # GX#6840: some expectations fail without naming rows; then nothing could be quarantined.
        error = f"Great Expectations named {len(positions)} of {unexpected} rows that do not conform"
        return Verdict(False, False, error=error)
    return Verdict(
        bool(result.success),
        positions=positions,
        unexpected=unexpected,
        considered=found.get("element_count", 0) - found.get("missing_count", 0),
        observed=plain_value(found.get("observed_value")),
    )
