"""A search of parameters on a terminal, and on its page in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_pipeline.evaluation.interval_text import bracket
from lepton_pipeline.operations.tuning.patch import patch_text
from lepton_pipeline.operations.tuning.result import RowCounts, TuningResult
from lepton_pipeline.operations.tuning.rows import Rows
from lepton_pipeline.operations.tuning.search import Search, Trial
from lepton_pipeline.operations.tuning.study import count_trials
from lepton_pipeline.system.markdown import fact_list
from lepton_pipeline.system.readable import say
from lepton_pipeline.terminal.console import print_facts

if TYPE_CHECKING:
    from optuna.study import Study


def print_start(vertical: str, search: Search, study: Study, rows: Rows) -> None:
    """Print which study begins or goes on, and with which rows."""
    counts, parts = count_trials(study), RowCounts.of(rows)
    done = counts.complete + counts.pruned
    known = f"{done} of {search.budget.trials} trials are made" if done else f"{search.budget.trials} trials"
    say(f"{vertical}: study {search.study}, {known}, kept in {search.place}")
    say(f"rows: {_rows_text(parts)}; keys: {', '.join(search.space.bounds)}")


def print_trial(trial: Trial) -> None:
    """Print one line for a trial that has ended."""
    loss = "pruned" if trial.loss is None else f"{trial.loss:.5f}"
    changes = ", ".join(f"{key} {value}" for key, value in trial.changes.items()) or "as declared"
    say(
        f"trial {trial.number:3d}  {loss:>8}  {len(trial.epochs):3d} epochs  {trial.seconds:6.1f} s  {changes}"
    )


def print_pair(number: int, declared: float, chosen: float) -> None:
    """Print the losses of a seed."""
    say(f"seed {number}: loss {declared:.5f} as declared, {chosen:.5f} as chosen")


def print_result(found: TuningResult, *, applied: bool) -> None:
    """Print what was found, the patch, and the advice."""
    print_facts(f"{found.vertical}: tuned", _facts(found))
    if found.changes:
        say(f"\npatch of parameters.yml{'' if found.worth_it else ', which is not advised'}:")
        say(patch_text(found.vertical, found.changes))
    if applied:
        say(
            f"\nwritten into conf/base/{found.vertical}/parameters.yml; the gate decides on the next training"
        )


def tuning_markdown(found: TuningResult) -> str:
    """The same as Markdown, for the note on the run's page."""
    patch = ["", "```yaml", patch_text(found.vertical, found.changes), "```"] if found.changes else []
    return "\n".join([*fact_list(_facts(found)), *patch])


def advice(found: TuningResult) -> str:
    """Whether to take the patch.

    The declared training is kept unless the interval of the gain lies above 0.
    """
    if found.gain is None:
        return "keep the declared training: no trial was better"
    if found.worth_it:
        return "take the patch: the gain is above 0 for certain"
    if found.gain.difference.low is None:
        return "keep the declared training: too few rows to tell whether anything is gained"
    if found.gain.difference.ends[1] < 0:
        return "keep the declared training: the best trial is worse on rows that did not choose it"
    return "keep the declared training: the interval includes 0"


def _facts(found: TuningResult) -> list[tuple[str, str]]:
    trials, declared = found.trials, "–" if found.declared_loss is None else f"{found.declared_loss:.5f}"
    facts = [
        (
            "trials",
            f"{trials.complete} complete, {trials.pruned} pruned, {trials.failed} made again or failed",
        ),
        ("rows", _rows_text(found.rows)),
        ("chosen", f"trial {found.chosen}: {found.loss} {found.chosen_loss:.5f}, {declared} as declared"),
    ]
    if found.gain is not None:
        gain = found.gain
        facts += [
            ("judged", f"{found.loss} {gain.declared:.5f} as declared, {gain.chosen:.5f} as chosen"),
            (
                "gain",
                f"{gain.difference.value:+.5f} {bracket(gain.difference, '{:+.5f}'.format)}, {gain.seeds} fresh seeds",
            ),
        ]
    return [*facts, ("advice", advice(found))]


def _rows_text(parts: RowCounts) -> str:
    return f"{parts.learnt_from:,} learnt from, {parts.chosen_by:,} to choose by, {parts.judged_by:,} to judge by"
