"""The tables of `quality.py`'s report: goals, ranks, metrics, paired intervals and coverage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

from extra_tables import EXTRA_TABLES
from overhead import table
from quality_metrics import BINARY, METRICS, RANKED, REGRESSION
from quality_results import CONTENDERS, HELD_OUT, OURS, OWN_VARIANTS, Line, Results

MOST_BEHIND = 0.002


def groups(results: Results) -> dict[str, list[str]]:
    """The verticals on which ranks are averaged, by what the columns are called."""
    held_out = [vertical for vertical in results.verticals if vertical in HELD_OUT]
    extra = [vertical for vertical in results.verticals if vertical in EXTRA_TABLES]
    seen = [vertical for vertical in results.verticals if vertical not in (*held_out, *extra)]
    parts = {f"{len(seen)} seen": seen, f"{len(held_out)} held out": held_out, f"{len(extra)} extra": extra}
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
    return table(["contender", *ranked, f"mean {METRICS[metric].name}", "CPU s"], rows)


def metric_table(results: Results, metric: str) -> str:
    """Mean ± standard deviation over seeds, contenders x verticals, with their mean; the best is bold."""

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


def pair_table(results: Results) -> str:
    """Lead of ours over the best opponent in the headline metric with its 95 % interval, by vertical."""
    rows = []
    for vertical in results.verticals:
        found, recorded = results.closest(vertical), results.paired(vertical)
        if found is None:
            continue
        cells = ["not measured", "—", "—", "—"]
        if recorded:
            lead, low, high = (f"{recorded[name]:+.4g}" for name in ("lead", "low", "high"))
            drawn = f"{recorded['units']:,} {recorded['unit']}s"
            cells = [lead, f"[{low}, {high}]", drawn, _verdict(recorded["high"] >= 0)]
        ours = decimal(fmean(results.values(OURS, vertical, results.headline)))
        rows.append([_marked(vertical), ours, found[0], *cells])
    head = ["vertical", f"{METRICS[results.headline].name} of ours", "best opponent", "lead of ours"]
    return table([*head, "paired 95 % interval", "drawn", "not below 0"], rows)


def interval_table(results: Results) -> str:
    """Coverage and width of the 90 % intervals of ours, and of the opponent with the best interval score."""
    rows = []
    for vertical in results.verticals:
        scored = {name: results.values(name, vertical, "interval_score") for name in CONTENDERS}
        scored = {name: scores for name, scores in scored.items() if scores}
        opponents = [name for name in scored if name not in (OURS, *OWN_VARIANTS)]
        best = sorted(opponents, key=lambda name: fmean(scored[name]))[:1]
        for name in [each for each in (OURS, *best) if each in scored]:
            n = sum(int(rows) for rows in results.values(name, vertical, "test_rows"))
            coverage = results.values(name, vertical, "coverage")
            spread = f"±{decimal(stdev(coverage))}" if len(coverage) > 1 else ""
            means = (fmean(results.values(name, vertical, each)) for each in ("width", "interval_score"))
            shown = [decimal(fmean(coverage)) + spread, *map(decimal, means)]
            rows.append([_marked(vertical), name, *shown, f"{n:,}"])
    return table(["vertical", "contender", "coverage", "mean width", "interval score", "n"], rows)


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
    binary = results.task == BINARY
    behind = [f"the AUC of {name}" for name, best in found.items() if binary and best and _behind(best[1])]
    pairs = {vertical: results.paired(vertical) for vertical in results.verticals}
    below = [f"the paired interval of {name}" for name, pair in pairs.items() if pair and pair["high"] < 0]
    unfinished = [vertical for name, vertical in results.unfinished if name == OURS]
    named = METRICS[results.headline].name
    rank = [f"the first mean rank of {named}"] if not first(results, results.verticals) else []
    return [*rank, *behind, *below, *(f"to finish {vertical}" for vertical in unfinished)]


def first(results: Results, verticals: Sequence[str]) -> bool:
    """Whether no opponent has a lower mean rank of the headline metric than ours."""
    ranks = {name: results.mean_rank(name, verticals, results.headline) for name in results.field}
    ours = ranks[OURS]
    return ours is not None and all(rank is None or rank >= ours for rank in ranks.values())


def goals(results: Results) -> str:
    """The verdict on the goals, as Markdown."""
    if OURS not in results.field:
        verdict = f"{OURS} has not been tried on every vertical yet, so there is no verdict."
        some = any(results.closest(vertical) for vertical in results.verticals)
        return f"{verdict}\n\n{pair_table(results)}" if some else verdict
    ranks = [
        f"- First in mean rank of {METRICS[results.headline].name}, {name}: {_verdict(first(results, part))}."
        for name, part in groups(results).items()
    ]
    parts = [
        "\n".join([*ranks, "- Nowhere is the paired interval of the lead over the best opponent below 0:"])
    ]
    parts.append(pair_table(results))
    if results.task == BINARY:
        parts += [f"- Nowhere more than {MOST_BEHIND} below the best AUC:", distance_table(results)]
    return "\n\n".join(parts)


def _behind(leads: Sequence[float]) -> bool:
    # Beyond the rounding of the difference of two figures.
    return fmean(leads) > MOST_BEHIND + 1e-9


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def _marked(vertical: str) -> str:
    return f"{vertical} †" if vertical in HELD_OUT else vertical


def decimal(value: float) -> str:
    """Four digits without a zero before the point, one for thousands."""
    digits = f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
    return digits.replace("0.", ".", 1) if digits.lstrip("-").startswith("0.") else digits


def verticals_table(lines: Iterable[Line], verticals: Sequence[str]) -> str:
    """Rows, columns, split and target of every vertical."""
    about = {line["vertical"]: line for line in lines if "strategy" in line}
    rows = [
        [
            _marked(vertical),
            about[vertical]["strategy"],
            *(f"{about[vertical][part]:,}" for part in ("train", "validation", "test", "columns")),
            _target(about[vertical]),
        ]
        for vertical in verticals
        if vertical in about
    ]
    return table(["vertical", "split", "train", "validation", "test", "columns", "target"], rows)


def _target(about: Line) -> str:
    if "classes" in about:
        return f"{about['classes']} classes"
    if "positive" in about:
        return f"{about['positive']:.3f} positive"
    return f"{decimal(about['mean'])}±{decimal(about['deviation'])}"


def report(lines: Sequence[Line], network_seeds: int, max_rows_slow: int) -> str:
    """The result as Markdown.

    Args:
        lines: all that was recorded.
        network_seeds: how many seeds the slow contenders were given.
        max_rows_slow: of how many training rows they were given at most.
    """
    tasks = Results.by_task(lines)
    environments = [line["environment"] for line in lines if "environment" in line]
    unfinished = [
        f"- {name} on {vertical}: {ended}."
        for results in tasks
        for (name, vertical), ended in results.unfinished.items()
    ]
    parts = [
        "# Quality of the default model",
        "\n\n".join(f"{each['date']}; {each['machine']};\n{each['versions']}." for each in environments),
        METHOD,
        verticals_table(lines, [vertical for results in tasks for vertical in results.verticals]),
        "† held out: no default was chosen with their test rows in sight, but that by time nothing is calibrated "
        "(retail was); earlier cuts of both were in sight when weights were averaged.",
        *(_task_report(results) for results in tasks),
        f"## Notes\n\n{NOTES.format(seeds=network_seeds, rows=max_rows_slow)}",
        *(["\n".join(["Unfinished, and so last in rank there:", "", *unfinished])] if unfinished else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _task_report(results: Results) -> str:
    parts = [f"## {results.task.capitalize()}", f"### Goals\n\n{goals(results)}"]
    for metric in RANKED[results.task]:
        name = METRICS[metric].name
        heading = f"### {name[0].upper()}{name[1:]}"
        parts.append(f"{heading}\n\n{rank_table(results, metric)}\n\n{metric_table(results, metric)}")
    if results.task == REGRESSION:
        parts.append(f"### 90 % intervals\n\n{interval_table(results)}")
    return "\n\n".join([*parts, f"### CPU seconds of one fit\n\n{seconds_table(results)}"])


METHOD = """\
Every contender has the same columns, those that the product's encoder reads, and the same rows, divided as
each table declares. Where the split is random, its seed and the model's vary together; where it is by time,
only the model's does. Figures are of the test rows: mean ± standard deviation over seeds, the best of a
column in bold. Nothing is tuned to a single table, and a vertical's own `training` is ignored. Extra tables
come from scikit-learn or are drawn (`extra_tables.py`)."""

NOTES = """\
- `lepton (network alone)` is the torch part of the same fit as `lepton (default)`, so their CPU seconds are
  those of both. So are those of `logistic regression` and `HGB (tuned)` where the task is binary: they are
  the two baselines of a run of the product without boosting in the model, on the rows that the model is
  fitted on, by its plan.
- `default` is a library's own defaults without early stopping, fitted on training and validation rows.
  `tuned` is one preset a library for all tables and tasks (`opponents.py`): fitted on the training rows
  until the validation loss of the task has not fallen for 100 trees, then again on training and validation
  rows with as many trees as were best. Penalties of linear models are chosen likewise. So all have learnt
  from the same labels as `lepton`. Boosting takes raw numbers and its own categories, linear models the
  product's encoded columns.
- A target with `transform: log` is learnt as its log by all, and predicted as the exponential of that. The
  90 % interval of an opponent is that of split conformal prediction on the scale that is learnt: residuals
  of the validation rows from the same preset, fitted on the training rows alone, around the prediction of
  the refitted model. The interval score (Gneiting and Raftery 2007) is the mean width plus 20 times the
  mean distance of the target from the interval. `n` counts the test rows of all seeds.
- The paired interval is a bootstrap of the lead of ours over the best opponent in the headline metric (AUC,
  log loss, RMSE), mean over seeds. Rows, groups or blocks of time are drawn from the test rows of all
  seeds, and count equally often in every seed and for both contenders. The best opponent is chosen on the
  same rows, which favours it. Positive is in favour of ours.
- RealMLP-TD keeps the epoch of the best validation log loss, without label smoothing as its authors advise
  for such metrics, and is refitted on training and validation rows; TabM (`pytabkit`'s, with
  piecewise-linear embeddings) is stopped by that loss and has no refit. Both are slow: they are tried on
  binary targets only, with seeds below {seeds}, on tables of at most {rows:,} training rows.
- A mean rank is over the tables on which a contender was tried, among those that were tried on all; ties
  share. One with fewer tables (*) is ranked as if it were among them, one with fewer seeds is compared on
  these seeds, and variants of the project's own model (°) are ranked in its place. A lead over ours is of
  the same seeds, too.
- CPU seconds are user and system time of fitting and of scoring the test rows, on one thread, without
  imports and without dividing and encoding the rows. Those of a regression include the fit that intervals
  need. In the tables of ranks they are the sum over tables of one fit each."""
