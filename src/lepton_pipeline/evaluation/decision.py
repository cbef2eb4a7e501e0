"""Record of the gate's decision, light enough for printing."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_pipeline.system.records import Omitted

PROMOTED, REFUSED, SAME = "promoted", "refused", "same as champion"


@dataclass(frozen=True)
class Check:
    """One check of a model: figure with 95 % interval, limit, rows, and remedy after a failure."""

    name: str
    passed: bool
    text: str
    value: Omitted[float] = None
    low: Omitted[float] = None
    high: Omitted[float] = None
    approximate: Omitted[bool] = None
    limit: Omitted[float] = None
    rows: Omitted[int] = None
    next: Omitted[str] = None


@dataclass(frozen=True)
class GateDecision:
    """The gate's decision on a version, with checks in the order in which they were made."""

    promoted: bool | None  # whether it became champion; None if the champion is the same model
    alias: str  # its alias now, or ""
    reason: str
    version: int
    champion_version: int | None = None  # before the decision; None without a champion
    checks: list[Check] = field(default_factory=list)

    @property
    def failed(self) -> list[Check]:
        """Failed checks."""
        return [check for check in self.checks if not check.passed]

    @property
    def against_champion(self) -> Check | None:
        """The comparison with the previous champion, if there was one."""
        return next((check for check in self.checks if check.name == "champion"), None)


def verdict(promoted: bool | None) -> str:
    """The decision in a word or two, see `GateDecision.promoted`."""
    return SAME if promoted is None else PROMOTED if promoted else REFUSED
