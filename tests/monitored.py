"""Monitoring results that are made up, of which a test states only what it is about."""

from __future__ import annotations

from lepton_pipeline.operations.monitoring.findings import (
    ColumnDrift,
    MonitoringResult,
    WatchedChampion,
    Window,
)


def column(name: str, *, flagged: bool, psi: float = 0.4) -> ColumnDrift:
    return ColumnDrift(
        name, "chi-square", 9.0, 0.001, psi, 0.0, 0.0, [], 0, "", 0.001, flagged, ignored=False
    )


def window(since: str | None, until: str | None, value: float | None, **changes: object) -> Window:
    ends = (None, None) if value is None else (value - 0.05, value + 0.05)
    counts = {"rows": 10, "mature": 10, "positives": 5, "missing": None, "score_mean": None, "psi": {}}
    measured = {"metric": "auc", "value": value, "low": ends[0], "high": ends[1], "below": False}
    return Window(**counts | measured | changes, since=since, until=until)  # type: ignore[arg-type]


def monitored(version: int, **changes: object) -> MonitoringResult:
    nothing = dict.fromkeys(("domain", "scores", "volume", "estimate", "bound", "missing_reference"))
    whole = nothing | {"as_of": "2026-11-20T00:00:00", "rows_new": 500, "rows_mature_new": 400}
    whole |= {"columns": [], "windows": [], "notes": [], "drifted": None, "decayed": None}
    whole |= {"needed": {"windows": 2, "of": 3}, "level": 0.05, "smallest_psi": 0.1}
    whole["champion"] = WatchedChampion("shop", version, "abc", None)
    return MonitoringResult(**whole | changes)  # type: ignore[arg-type]
