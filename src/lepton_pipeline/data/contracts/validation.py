"""Evaluate checks with Great Expectations, without its noise and its network calls."""

from __future__ import annotations

import io
import logging
import math
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.contracts.checks import Check
from lepton_pipeline.data.contracts.expectations import known_expectation
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.signals import OutOfTimeError, time_limit

_LONG = {"unexpected_list", "unexpected_index_list"}
_PATTERNS = ("regex", "regex_list")
# For a pattern, and for each so many rows.
_SECONDS, _ROWS_A_SECOND = 60, 10_000


@dataclass(frozen=True)
class Verdict:
    """Result of the evaluation of one check.

    Attributes:
        success: the check holds; False wherever it was not evaluated.
        evaluated: otherwise `error` or `blocked` says why not.
        positions: rows that do not conform, counted from 0; empty for checks of the whole table or column.
        unexpected: number of rows that do not conform; None for checks of the whole table or column. It may
            be above 0 beside `success` where the check declares `mostly`.
        observed: what the table showed instead, for checks of the whole table or column.
        error: Great Expectations' message where it failed to evaluate the check.
        blocked: the prerequisite that failed.
        configuration: the Great Expectations configuration, for Data Docs.
        details: the Great Expectations result without its lists of rows, for Data Docs.
    """

    success: bool
    evaluated: bool = True
    positions: list[int] = field(default_factory=list)
    unexpected: int | None = None
    observed: Any = None
    error: str | None = None
    blocked: str | None = None
    configuration: Any = None
    details: dict[str, Any] = field(default_factory=dict)


def evaluate_checks(table: pd.DataFrame, checks: list[Check], blocked: dict[int, str]) -> list[Verdict]:
    """Give one verdict a check, in order; `blocked` has the reasons not to evaluate, by position.

    An exception inside Great Expectations becomes a verdict with `error`; a ConfigurationError says which
    argument it refuses, or which pattern takes too long.
    """
    with quiet_great_expectations():
        expectations = [_expectation(position, check, table) for position, check in enumerate(checks)]
        runnable = {position: each for position, each in enumerate(expectations) if position not in blocked}
        # Great Expectations was wrong about rows under an index that does not count from 0 (GX#12095).
        rows, patterns = table.reset_index(drop=True), [check for check in checks if _patterns(check)]
        results = {}
        if runnable:
            results = _run_in_time(rows, runnable, patterns) if patterns else _run(rows, runnable)
        return [
            Verdict(False, False, blocked=blocked[at], configuration=expectation.configuration)
            if at in blocked
            else _verdict(checks[at], expectation, results.get(at, RuntimeError("no result was returned")))
            for at, expectation in enumerate(expectations)
        ]


@contextmanager
def quiet_great_expectations() -> Iterator[None]:
    """Run Great Expectations without analytics, progress bars, log lines or warnings."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logger = logging.getLogger("great_expectations")
    level = logger.level
    # Some progress bars ignore the context's setting, so what is written to stderr goes nowhere.
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


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

    arguments = {name: value for name, value in check.arguments.items() if name != "notes"}
    columns = [table[name] for name in check.columns if name in table.columns]
    if any(pd.api.types.is_datetime64_any_dtype(column) for column in columns):
        bounds = arguments.keys() & {"min_value", "max_value"}
        arguments |= {name: _at_midnight(arguments[name]) for name in bounds}
    description = f"{check.sentence} · on failure: {check.on_failure}"
    notes = check.arguments.get("notes", [])
    notes = notes if isinstance(notes, list) else [notes]
    meta = {"check": position, "on_failure": check.on_failure, "declared": check.key}
    try:
        return get_expectation_impl(f"expect_{check.expect}")(
            **{**arguments, "description": description},
            meta=meta,
            notes=[*notes, f"Declared in {check.key}. On failure: {check.on_failure}."],
        )
    except ValidationError as error:
        raise ConfigurationError("\n".join(_refusals(check, error.errors()))) from error


def _at_midnight(bound: Any) -> Any:
    """A bound in days as a time that Great Expectations can compare."""
    return f"{bound}T00:00:00" if re.fullmatch(r"\d{4}-\d\d-\d\d", str(bound)) else bound


def _refusals(check: Check, errors: list[dict[str, Any]]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for error in errors:
        reasons.setdefault(str(error["loc"][0]), []).append(str(error["msg"]))
    lines = []
    for name, messages in reasons.items():
        known = name in check.arguments
        key, value = (f"{check.key}.{name}", check.arguments[name]) if known else (check.key, check.arguments)
        said = "; ".join(dict.fromkeys(messages))
        lines.append(f"{key}: {check.expect} does not take {value!r}: {said}. Correct the value.")
    return lines


def _patterns(check: Check) -> dict[str, Any]:
    return {name: check.arguments[name] for name in _PATTERNS if name in check.arguments}


def _run_in_time(table: pd.DataFrame, expectations: dict[int, Any], patterns: list[Check]) -> dict[int, Any]:
    """Evaluate as `_run` does, but stop a pattern with catastrophic backtracking."""
    seconds = _SECONDS + len(table) / _ROWS_A_SECOND
    try:
        with time_limit(seconds):
            return _run(table, expectations)
    except OutOfTimeError as error:
        shown = ", ".join(
            f"{check.key}.{name}: {value!r}" for check in patterns for name, value in _patterns(check).items()
        )
        raise ConfigurationError(
            f"{shown}: to look for this takes longer than {seconds:.0f} s in {len(table):,} rows; write it without a "
            "repetition inside of a repetition, such as (x+)+."
        ) from error


def _run(table: pd.DataFrame, expectations: dict[int, Any]) -> dict[int, Any]:
    """Great Expectations' result of each expectation, or the exception that it raised."""
    import great_expectations as gx

    context = great_expectations_context()
    definition = context.data_sources.add_pandas("run").add_dataframe_asset("table")
    batch = definition.add_batch_definition_whole_dataframe("all rows").get_batch({"dataframe": table})
    result_format = {"result_format": "COMPLETE", "return_unexpected_index_query": False}
    suite = gx.ExpectationSuite(name="contract", expectations=list(expectations.values()))
    try:
        results = batch.validate(suite, result_format=result_format).results
        return {result.expectation_config.meta["check"]: result for result in results}
    except Exception:  # One expectation can break the whole suite: find out which.
        return {position: _run_alone(batch, each, result_format) for position, each in expectations.items()}


def _run_alone(batch: Any, expectation: Any, result_format: dict[str, Any]) -> Any:
    try:
        return batch.validate(expectation, result_format=result_format)
    except Exception as error:  # Whatever it raises is reported as a check that could not be evaluated.
        return error


def _verdict(check: Check, expectation: Any, result: Any) -> Verdict:
    configuration = expectation.configuration
    error = _error(result)
    if error is not None:
        return Verdict(False, False, error=error, configuration=configuration)
    found: dict[str, Any] = result.result
    positions = [int(position) for position in found.get("unexpected_index_list") or []]
    unexpected = found.get("unexpected_count") if known_expectation(check.expect).row_wise else None
    success = bool(result.success)
    if not success and check.on_failure == "quarantine" and (not positions or len(positions) != unexpected):
        # GX#6840: some expectations fail without naming rows; then nothing could be quarantined.
        error = f"Great Expectations named {len(positions)} of {unexpected} rows that do not conform"
        return Verdict(False, False, error=error, configuration=configuration)
    return Verdict(
        success,
        positions=positions,
        unexpected=unexpected,
        observed=plain_value(found.get("observed_value")),
        configuration=configuration,
        # Every failing row's value and number would make a page of megabytes.
        details=plain_value({name: value for name, value in found.items() if name not in _LONG}),
    )


def _error(result: Any) -> str | None:
    if isinstance(result, Exception):
        return f"{type(result).__name__}: {result}"
    information: dict[str, Any] = result.exception_info
    raised = [information] if "raised_exception" in information else list(information.values())
    messages = [str(each["exception_message"]).strip() for each in raised if each["raised_exception"]]
    return "; ".join(dict.fromkeys(messages)) if messages else None
