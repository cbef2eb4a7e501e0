"""What the lines of the record say: figures by contender and table, ranks, leads and paired intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from contenders import FITS, LEPTON, MLP
from extra_tables import EXTRA_TABLES
from quality_metrics import BINARY, METRICS, RANKED

# No default was chosen with their figures in sight: they show what defaults do on tables nobody looked at.
HELD_OUT = ("telecom", "retail")
OURS, OWN_VARIANTS = LEPTON[0], (LEPTON[1], MLP)
CONTENDERS = tuple(dict.fromkeys(name for fit in FITS.values() for name in fit.names))

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """Figures of the contenders on the verticals, and extra tables, of one task.

    Attributes:
        figures: metrics and CPU seconds, by contender and vertical and then by seed.
        unfinished: why a fit gave no figures, by contender and vertical.
        task: "binary", "multiclass" or "regression".
        pairs: the recorded paired interval of each vertical.
    """

    figures: dict[tuple[str, str], dict[int, Line]]
    unfinished: dict[tuple[str, str], str]
    task: str = BINARY
    pairs: dict[str, Line] = field(default_factory=dict)

    @classmethod
    def by_task(cls, lines: Sequence[Line]) -> list[Results]:
        """One for each task that has any line of a fit."""
        every = [cls.read(lines, task) for task in RANKED]
        return [results for results in every if results.verticals]

    @classmethod
    def read(cls, lines: Iterable[Line], task: str = BINARY) -> Results:
        """Sort lines: the later of one fit counts, and one unfinished seed makes all unfinished."""
        lines = list(lines)
        tasks = {line["vertical"]: line.get("task", BINARY) for line in lines if "strategy" in line}
        lines = [line for line in lines if tasks.get(line.get("vertical", ""), BINARY) == task]
        last = {
            (line["contender"], line["vertical"], line["seed"]): line for line in lines if "contender" in line
        }
        figures: dict[tuple[str, str], dict[int, Line]] = {}
        unfinished: dict[tuple[str, str], str] = {}
        for (contender, vertical, seed), line in sorted(last.items()):
            if "cpu_seconds" in line:
                figures.setdefault((contender, vertical), {})[seed] = line
            else:
                ended = (
                    f"stopped after {line['stopped']:,} CPU seconds" if "stopped" in line else line["failed"]
                )
                unfinished.setdefault((contender, vertical), ended)
        finished = {key: seeds for key, seeds in figures.items() if key not in unfinished}
        return cls(finished, unfinished, task, {line["vertical"]: line for line in lines if "paired" in line})

    @property
    def headline(self) -> str:
        """The metric by which contenders are judged first."""
        return RANKED[self.task][0]

    @property
    def verticals(self) -> list[str]:
        """Those with any figure, the held out ones and then the extra tables last."""
        seen = {vertical for _, vertical in (*self.figures, *self.unfinished)}
        return sorted(seen, key=lambda name: (name in EXTRA_TABLES, name in HELD_OUT, name))

    @property
    def field(self) -> list[str]:
        """The contenders that are ranked: tried on every vertical, and no variant of the own model."""
        tried = {*self.figures, *self.unfinished}
        everywhere = [
            name for name in CONTENDERS if all((name, vertical) in tried for vertical in self.verticals)
        ]
        return [name for name in everywhere if name not in OWN_VARIANTS]

    def values(self, contender: str, vertical: str, metric: str) -> list[float]:
        """Of every seed; none where it was not tried, did not finish, or has no such metric."""
        lines = self.figures.get((contender, vertical), {}).values()
        return [line[metric] for line in lines if metric in line]

    def leads(self, contender: str, other: str, vertical: str, metric: str) -> list[float]:
        """How much better a contender is than another, for every seed that both have."""
        mine, its = (self.figures.get((name, vertical), {}) for name in (contender, other))
        sign = -1 if METRICS[metric].smaller_is_better else 1
        both = [seed for seed in mine if seed in its and metric in mine[seed] and metric in its[seed]]
        return [sign * (mine[seed][metric] - its[seed][metric]) for seed in both]

    def rank(self, contender: str, vertical: str, metric: str) -> float:
        """1 for the best of the field; ties share their ranks, and what did not finish shares the last.

        A contender with fewer seeds is compared on those; one that is not of the field is ranked as if it
        were, and a variant of the project's own model in its place.
        """
        rank = 1.0
        for other in self.field:
            if other == contender or (other == OURS and contender in OWN_VARIANTS):
                continue
            lost = ((contender, vertical) in self.unfinished) - ((other, vertical) in self.unfinished)
            leads = self.leads(contender, other, vertical, metric)
            lead = -lost or (fmean(leads) if leads else 0.0)
            rank += 1.0 if lead < 0 else 0.5 if lead == 0 else 0.0
        return rank

    def mean_rank(self, contender: str, verticals: Sequence[str], metric: str) -> float | None:
        """Over those of the verticals where it was tried."""
        tried = [
            name
            for name in verticals
            if self.values(contender, name, metric) or (contender, name) in self.unfinished
        ]
        return fmean(self.rank(contender, vertical, metric) for vertical in tried) if tried else None

    def mean(self, contender: str, metric: str) -> float | None:
        """Mean over verticals of the mean over seeds; None where one lacks, or in units of the target."""
        if metric in METRICS and METRICS[metric].in_units:
            return None
        values = [self.values(contender, vertical, metric) for vertical in self.verticals]
        return fmean(map(fmean, values)) if all(values) else None

    def closest(self, vertical: str) -> tuple[str, list[float]] | None:
        """The opponent with the best headline metric, and its lead over ours by seed that both have."""
        opponents = [name for name in CONTENDERS if name not in (OURS, *OWN_VARIANTS)]
        leads = {name: self.leads(name, OURS, vertical, self.headline) for name in opponents}
        finished = {name: each for name, each in leads.items() if each}
        return max(finished.items(), key=lambda item: fmean(item[1])) if finished else None

    def compared(self, vertical: str) -> dict[str, list[float]]:
        """Headline metrics of ours and of the best opponent by seed that both have; {} without one."""
        found = self.closest(vertical)
        if found is None:
            return {}
        both = {name: self.figures[name, vertical] for name in (OURS, found[0])}
        seeds = [seed for seed in both[OURS] if seed in both[found[0]]]
        return {name: [lines[seed][self.headline] for seed in seeds] for name, lines in both.items()}

    def paired(self, vertical: str) -> Line | None:
        """The paired interval of these very figures; None where it was not measured, or for earlier ones."""
        recorded: Line = self.pairs.get(vertical, {}).get("paired", {})
        return recorded if recorded.get("of") == self.compared(vertical) else None

    def order(self, metric: str | None = None) -> list[str]:
        """Contenders with any result, by their mean rank."""
        by = metric or self.headline
        ranks = {name: self.mean_rank(name, self.verticals, by) for name in CONTENDERS}
        return sorted(
            (name for name in CONTENDERS if ranks[name] is not None), key=lambda name: ranks[name] or 0
        )
