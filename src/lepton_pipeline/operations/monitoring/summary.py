"""Drift, realised quality, index and offers of a monitoring result, in one line each."""

from __future__ import annotations

from collections.abc import Sequence

from lepton_pipeline.evaluation.interval_text import bracket, measured_text
from lepton_pipeline.operations.monitoring.findings import IndexResult, MonitoringResult, OfferedCut
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import metric_text
from lepton_pipeline.system.readable import figure_text

_NAMED_COLUMNS = 6
_BLOCKS = "▁▂▃▄▅▆▇█"
_VERDICTS = {None: "too few windows to tell", True: "decayed", False: "holds"}


def drift_text(found: MonitoringResult) -> str:
    """Drift in one line."""
    if found.drifted is None:
        return "not known"
    flagged = found.flagged
    named = [f"{each.column} (PSI {each.psi:.2f})" for each in flagged[:_NAMED_COLUMNS]]
    if len(flagged) > len(named):
        named.append(f"{len(flagged) - len(named)} more")
    if found.scores is not None and found.scores.flagged:
        named.append("the scores")
    if found.domain is not None and found.domain.flagged:
        named.append(f"all columns together (AUC {found.domain.auc:.3f})")
    return ", ".join(named) or f"none in {len(found.columns)} columns"


def quality_text(found: MonitoringResult) -> str:
    """Realised quality in one line."""
    measured = [(window.metric, window.estimate) for window in found.windows if window.estimate is not None]
    if not measured:
        return "not known yet"
    metric, last = measured[-1]
    place = "the last window" if len(measured) > 1 else "the one window"
    text = f"{_VERDICTS[found.decayed]}: {metric} {_against(metric, last, found.bound, f' in {place}')}"
    covered = [window.coverage for window in found.windows if window.coverage is not None]
    if found.coverage is None or not covered:
        return text
    held = _against("coverage", covered[-1], found.coverage.bound)
    return f"{text}; coverage {_VERDICTS[found.coverage.decayed]}: {held}"


def trend_text(found: MonitoringResult) -> str:
    """Realised quality by window as a line of blocks, the earliest first; "" for fewer than two windows."""
    values = [window.value for window in found.windows]
    known = [each for each in values if each is not None]
    if len(known) < 2:
        return ""
    low, width = min(known), (max(known) - min(known)) or 1.0
    places = [None if each is None else round((each - low) / width * (len(_BLOCKS) - 1)) for each in values]
    return "".join(" " if place is None else _BLOCKS[place] for place in places)


def index_text(found: IndexResult) -> str:
    """The index of the latest known period in one line."""
    if (last := found.last) is None or last.index is None or last.change is None:
        return "not known yet"
    where = "" if last.since is None else f" from {last.since[:10]} to {str(last.until)[:10]}"
    told, moved = "turned" if last.flagged else "no turn", "higher" if last.change.value > 0 else "lower"
    size = f"{figure_text(abs(last.change.value))} {moved} than {figure_text(found.before.value)} before"
    now = f"{figure_text(last.index.value)} {bracket(last.index, figure_text)}{where}"
    return f"{told}: {now}, {size} (p {last.p_adjusted:.3g})"


def offers_text(offers: Sequence[OfferedCut]) -> str:
    """What was bought of the offers of the latest cut in one line, beside those of the first."""
    if not offers:
        return "not known yet"
    first, *_, last = [offers[0], *offers]
    text = f"{_percent(last.bought.value)} {bracket(last.bought, _percent)} bought from {last.since} to {last.until}"
    if last is first:
        return f"{text}, the latest cut of the training"
    return f"{text}, {_percent(first.bought.value)} from {first.since} on"


def _percent(share: float) -> str:
    return metric_text("coverage", share)


def _against(metric: str, figure: Estimate, bound: float | None, where: str = "") -> str:
    limit = "" if bound is None else f", bound {metric_text(metric, bound)}"
    return f"{measured_text(metric, figure)}{where}{limit}"
