"""What the figures of `quality.py` say: ranks, distances to the best, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from contenders import FITS, LEPTON, MLP
from overhead import table

# No default was chosen with their figures in sight: they show what the defaults do on tables that nobody looked at.
HELD_OUT = ("telecom", "retail")
OURS, OWN_VARIANTS = LEPTON[0], (LEPTON[1], MLP)
CONTENDERS = tuple(name for fit in FITS.values() for name in fit.names)
METRICS = {"auc": "AUC", "log_loss": "log loss", "average_precision": "average precision"}
SMALLER_IS_BETTER = "log_loss"
MOST_BEHIND = 0.002

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """Figures of the contenders on the verticals.

    Attributes:
        figures: metrics and CPU seconds, by contender and vertical and then by seed.
        unfinished: why there are none, by contender and vertical.
    """

    figures: dict[tuple[str, str], dict[int, Line]]
    unfinished: dict[tuple[str, str], str]

    @classmethod
    def read(cls, lines: Iterable[Line]) -> Results:
        """Sort lines; of two about the same fit the later counts, and one unfinished seed makes all unfinished."""
        last = {
            (line["contender"], line["vertical"], line["seed"]): line for line in lines if "contender" in line
        }
        figures: dict[tuple[str, str], dict[int, Line]] = {}
        unfinished: dict[tuple[str, str], str] = {}
        for (contender, vertical, seed), line in sorted(last.items()):
            if "auc" in line:
                figures.setdefault((contender, vertical), {})[seed] = line
            else:
                ended = (
                    f"stopped after {line['stopped']:,} CPU seconds" if "stopped" in line else line["failed"]
                )
                unfinished.setdefault((contender, vertical), ended)
        return cls({key: seeds for key, seeds in figures.items() if key not in unfinished}, unfinished)

    @property
    def verticals(self) -> list[str]:
        """Those with any figure, the held out ones last."""
        seen = {vertical for _, vertical in (*self.figures, *self.unfinished)}
        return sorted(seen, key=lambda name: (name in HELD_OUT, name))

    @property
    def field(self) -> list[str]:
        """The contenders that are ranked: tried on every vertical, and no variant of the project's own model."""
        tried = {*self.figures, *self.unfinished}
        everywhere = [
            name for name in CONTENDERS if all((name, vertical) in tried for vertical in self.verticals)
        ]
        return [name for name in everywhere if name not in OWN_VARIANTS]

    def values(self, contender: str, vertical: str, metric: str) -> list[float]:
        """Of every seed; none where it was not tried or did not finish."""
        return [line[metric] for line in self.figures.get((contender, vertical), {}).values()]

    def leads(self, contender: str, other: str, vertical: str, metric: str) -> list[float]:
        """How much better a contender is than another, for every seed that both have."""
        mine, its = (self.figures.get((name, vertical), {}) for name in (contender, other))
        sign = -1 if metric == SMALLER_IS_BETTER else 1
        return [sign * (mine[seed][metric] - its[seed][metric]) for seed in mine if seed in its]

    def rank(self, contender: str, vertical: str, metric: str) -> float:
        """1 for the best of the field; ties share their ranks, and what did not finish shares the last.

        A contender with fewer seeds is compared on those; one that is not of the field is ranked as if it were, and a
        variant of the project's own model in its place.
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
            if (contender, name) in self.figures or (contender, name) in self.unfinished
        ]
        return fmean(self.rank(contender, vertical, metric) for vertical in tried) if tried else None

    def mean(self, contender: str, metric: str) -> float | None:
        """Mean over all verticals of the mean over seeds; None where one lacks."""
        values = [self.values(contender, vertical, metric) for vertical in self.verticals]
        return fmean(map(fmean, values)) if all(values) else None

    def closest(self, vertical: str) -> tuple[str, list[float]] | None:
        """The opponent with the best AUC, and how far it leads over ours, for every seed that both have."""
        opponents = [name for name in CONTENDERS if name not in (OURS, *OWN_VARIANTS)]
        leads = {name: self.leads(name, OURS, vertical, "auc") for name in opponents}
        finished = {name: each for name, each in leads.items() if each}
        return max(finished.items(), key=lambda item: fmean(item[1])) if finished else None

    def order(self, metric: str = "auc") -> list[str]:
        """Contenders with any result, by their mean rank."""
        ranks = {name: self.mean_rank(name, self.verticals, metric) for name in CONTENDERS}
        return sorted(
            (name for name in CONTENDERS if ranks[name] is not None), key=lambda name: ranks[name] or 0
        )


def groups(results: Results) -> dict[str, list[str]]:
    """The verticals on which ranks are averaged, by what the columns are called."""
    held_out = [vertical for vertical in results.verticals if vertical in HELD_OUT]
    seen = [vertical for vertical in results.verticals if vertical not in HELD_OUT]
    parts = {f"{len(seen)} seen": seen, f"{len(held_out)} held out": held_out}
    return {
        **{name: part for name, part in parts.items() if part},
        f"all {len(results.verticals)}": results.verticals,
    }


def rank_table(results: Results, metric: str) -> str:
    """Mean ranks over each group of verticals, the mean over verticals and the seconds of one fit of each."""
    rows = []
    for name in results.order(metric):
        mark = "" if name in results.field else " °" if name in OWN_VARIANTS else " *"
        ranks = [results.mean_rank(name, part, metric) for part in groups(results).values()]
        mean, seconds = (results.mean(name, of) for of in (metric, "cpu_seconds"))
        rows.append(
            [
                name + mark,
                *("—" if rank is None else f"{rank:.2f}" for rank in ranks),
                "—" if mean is None else decimal(mean),
                "—" if seconds is None else f"{seconds * len(results.verticals):,.0f}",
            ]
        )
    ranked = [f"mean rank, {name}" for name in groups(results)]
    return table(["contender", *ranked, f"mean {METRICS[metric]}", "CPU s"], rows)


def metric_table(results: Results, metric: str) -> str:
    """Mean ± standard deviation over seeds, contenders x verticals, with the mean over verticals; the best is bold."""

    def cell(name: str, vertical: str) -> str:
        values = results.values(name, vertical, metric)
        if not values:
            return "unfinished" if (name, vertical) in results.unfinished else "—"
        shown = decimal(fmean(values))
        if all(fmean(results.leads(name, other, vertical, metric) or [0.0]) >= 0 for other in CONTENDERS):
            shown = f"**{shown}**"
        return shown + (f"±{decimal(stdev(values))}" if len(values) > 1 else "")

    means = {name: results.mean(name, metric) for name in results.order(metric)}
    rows = [
        [
            name,
            *(cell(name, vertical) for vertical in results.verticals),
            "—" if mean is None else decimal(mean),
        ]
        for name, mean in means.items()
    ]
    return table(["contender", *map(_marked, results.verticals), "mean"], rows)


def seconds_table(results: Results) -> str:
    """Mean CPU seconds of one fit, contenders x verticals."""
    rows = []
    for name in results.order():
        seconds = [results.values(name, vertical, "cpu_seconds") for vertical in results.verticals]
        rows.append([name, *(f"{fmean(each):,.1f}" if each else "—" for each in seconds)])
    return table(["contender", *map(_marked, results.verticals)], rows)


def distance_table(results: Results) -> str:
    """How far the best opponent's AUC is above ours, by vertical; below zero ours is the best."""
    rows = []
    for vertical in results.verticals:
        found = results.closest(vertical)
        if found is None:
            continue
        name, leads = found
        ours = decimal(fmean(results.values(OURS, vertical, "auc")))
        spread = f"±{decimal(stdev(leads))}" if len(leads) > 1 else ""
        rows.append(
            [_marked(vertical), ours, name, f"{fmean(leads):+.4f}{spread}", _verdict(not _behind(leads))]
        )
    return table(["vertical", OURS, "best opponent", "its lead over ours", f"at most {MOST_BEHIND}"], rows)


def missed(results: Results) -> list[str]:
    """What was to be reached and is not, where the project's model has been tried on every vertical."""
    if OURS not in results.field:
        return []
    found = {vertical: results.closest(vertical) for vertical in results.verticals}
    behind = [f"the AUC of {vertical}" for vertical, best in found.items() if best and _behind(best[1])]
    unfinished = [vertical for name, vertical in results.unfinished if name == OURS]
    rank = ["the first mean rank of AUC"] if not first(results, results.verticals) else []
    return [*rank, *behind, *(f"to finish {vertical}" for vertical in unfinished)]


def first(results: Results, verticals: Sequence[str]) -> bool:
    """Whether no opponent has a lower mean rank of AUC than ours."""
    ranks = {name: results.mean_rank(name, verticals, "auc") for name in results.field}
    ours = ranks[OURS]
    return ours is not None and all(rank is None or rank >= ours for rank in ranks.values())


def goals(results: Results) -> str:
    """The verdict on the goals, as Markdown."""
    if OURS not in results.field:
        return f"{OURS} has not been tried on every vertical yet, so there is no verdict."
    ranks = [
        f"- First in mean rank of AUC, {name}: {_verdict(first(results, part))}."
        for name, part in groups(results).items()
    ]
    return (
        "\n".join([*ranks, f"- Nowhere more than {MOST_BEHIND} below the best AUC:"])
        + f"\n\n{distance_table(results)}"
    )


def _behind(leads: Sequence[float]) -> bool:
    # Beyond the rounding of the difference of two figures.
    return fmean(leads) > MOST_BEHIND + 1e-9


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def _marked(vertical: str) -> str:
    return f"{vertical} †" if vertical in HELD_OUT else vertical


def decimal(value: float) -> str:
    """Four digits, without a zero before the point."""
    digits = f"{value:.4f}"
    return digits.replace("0.", ".", 1) if digits.lstrip("-").startswith("0.") else digits


def verticals_table(lines: Iterable[Line], verticals: Sequence[str]) -> str:
    """Rows, columns and split of every vertical."""
    about = {line["vertical"]: line for line in lines if "strategy" in line}
    rows = [
        [
            _marked(vertical),
            about[vertical]["strategy"],
            *(f"{about[vertical][part]:,}" for part in ("train", "validation", "test", "columns")),
            f"{about[vertical]['positive']:.3f}",
        ]
        for vertical in verticals
        if vertical in about
    ]
    return table(["vertical", "split", "train", "validation", "test", "columns", "positive"], rows)


def report(lines: Sequence[Line], network_seeds: int, max_rows_slow: int) -> str:
    """The result as Markdown.

    Args:
        lines: all that was recorded.
        network_seeds: how many seeds the slow contenders were given.
        max_rows_slow: of how many training rows they were given at most.
    """
    results = Results.read(lines)
    environments = [line["environment"] for line in lines if "environment" in line]
    unfinished = [
        f"- {name} on {vertical}: {ended}." for (name, vertical), ended in results.unfinished.items()
    ]
    parts = [
        "# Quality of the default model",
        "\n\n".join(f"{each['date']}; {each['machine']};\n{each['versions']}." for each in environments),
        METHOD,
        verticals_table(lines, results.verticals),
        "† held out: no default was chosen with them in sight, but that by time nothing is calibrated (retail was).",
        f"## Goals\n\n{goals(results)}",
        *(
            f"## {name[0].upper()}{name[1:]}\n\n{rank_table(results, metric)}\n\n{metric_table(results, metric)}"
            for metric, name in METRICS.items()
        ),
        f"## CPU seconds of one fit\n\n{seconds_table(results)}",
        f"## Notes\n\n{NOTES.format(seeds=network_seeds, rows=max_rows_slow)}",
        *(["\n".join(["Unfinished, and so last in rank there:", "", *unfinished])] if unfinished else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


METHOD = """\
Every contender has the same columns, those that the product's encoder reads, and the same rows, divided as each
vertical declares. Where the split is random, its seed and the model's vary together; where it is by time, only the
model's does. Figures are of the test rows: mean ± standard deviation over seeds, the best of a column in bold. Nothing
is tuned to a single vertical, and a vertical's own `training` is ignored."""

NOTES = """\
- `lepton (network alone)` is the torch part of the same fit as `lepton (default)`, so their CPU seconds are those of
  both; so are those of `logistic regression` and `HGB (tuned)`, the two baselines of a run of the product without
  boosting in the model: on the rows that the model is fitted on, by its plan.
- `default` is a library's own defaults without early stopping, fitted on training and validation rows. `tuned` is one
  preset a library for all tables (`contenders.py`): fitted on the training rows until the validation log loss has not
  fallen for 100 trees, then again on training and validation rows with as many trees as were best. So both have learnt
  from the same labels as `lepton`. Boosting takes raw numbers and its own categories.
- RealMLP-TD keeps the epoch of the best validation log loss, without label smoothing as its authors advise for such
  metrics, and is refitted on training and validation rows; TabM (`pytabkit`'s, with piecewise-linear embeddings) is
  stopped by that loss and has no refit. Both are slow: they are tried with seeds below {seeds}, on tables of at most
  {rows:,} training rows.
- A mean rank is over the verticals on which a contender was tried, among those that were tried on all; ties share. One
  with fewer verticals (*) is ranked as if it were among them, one with fewer seeds is compared on these seeds, and
  variants of the project's own model (°) are ranked in its place. A lead over ours is of the same seeds, too.
- CPU seconds are user and system time of fitting and of scoring the test rows, on one thread, without imports and
  without dividing and encoding the rows. In the tables of ranks they are the sum over verticals of one fit each."""
