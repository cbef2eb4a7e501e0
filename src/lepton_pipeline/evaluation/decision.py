"""What the gate decided, check by check; light enough for what only prints it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_pipeline.system.records import Omitted

PROMOTED, REFUSED, SAME = "promoted", "refused", "same as champion"


@dataclass(frozen=True)
class Check:
    """One check of a model.

    Attributes:
        name: of the check.
        passed: whether it holds.
        text: what was found, in one sentence.
        value: the figure, with `low` and `high` of its 95 % interval; `approximate` where that is drawn from
            few.
        limit: what the figure was held to.
        rows: on which it was measured.
        next: what to do where the check failed.
    """

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
    """The gate's decision on a version.

    Attributes:
        promoted: whether it became champion; None: the champion is the same model, so nothing changed.
        alias: that it has now, "" without one.
        reason: in one sentence.
        version: of the model.
        champion_version: before the decision; None without a champion.
        checks: in the order in which they were made.
    """

    promoted: bool | None
    alias: str
    reason: str
    version: int
    champion_version: int | None = None
    checks: list[Check] = field(default_factory=list)

    @property
    def failed(self) -> list[Check]:
        """The checks that do not hold."""
        return [check for check in self.checks if not check.passed]

    @property
    def against_champion(self) -> Check | None:
        """The comparison with the champion before; None where there was none."""
        return next((check for check in self.checks if check.name == "champion"), None)


def verdict(promoted: bool | None) -> str:
    """The decision in a word or two, see `GateDecision.promoted`."""
    return SAME if promoted is None else PROMOTED if promoted else REFUSED
