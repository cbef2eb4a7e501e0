"""Drift and realised quality of a monitoring result, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lepton_pipeline.evaluation.interval_text import bracket
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.records import from_plain

_NAMED_COLUMNS = 6


def drift_text(found: Mapping[str, Any]) -> str:
    """Drift in one line."""
    if found["drifted"] is None:
        return "not known"
    flagged = sorted((each for each in found["columns"] if each["flagged"]), key=lambda each: -each["psi"])
    named = [f"{each['column']} (PSI {each['psi']:.2f})" for each in flagged[:_NAMED_COLUMNS]]
    if len(flagged) > len(named):
        named.append(f"{len(flagged) - len(named)} more")
    if found["scores"] is not None and found["scores"]["flagged"]:
        named.append("the scores")
    if found["domain"] is not None:
        named += [f"all columns together (AUC {found['domain']['auc']:.3f})"] * found["domain"]["flagged"]
    return ", ".join(named) or f"none in {len(found['columns'])} columns"


def quality_text(found: Mapping[str, Any]) -> str:
    """Realised quality in one line."""
    measured = [window for window in found["windows"] if window["value"] is not None]
    if not measured:
        return "not known yet"
    last = measured[-1]
    place = "the last window" if len(measured) > 1 else "the one window"
    text = f"{last['metric']} {last['value']:.4f} {bracket(from_plain(Estimate, last))} in {place}"
    bound = "" if found["bound"] is None else f", bound {found['bound']:.4f}"
    verdict = {None: "too few windows to tell", True: "decayed", False: "holds"}[found["decayed"]]
    return f"{verdict}: {text}{bound}"
