"""What a table of millions of rows takes, from the raw file to the champion, then scoring and monitoring.

python benchmarks/scale.py --rows 1M --format parquet

One size and format a call; the result's table grows over the calls. A call that was ended goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node
from machine import describe_machine, describe_versions
from overhead import prepare, table
from scale_table import FEWEST_COLUMNS, ID, OUTCOME, declaration, write
from verticals import PeakMemory, install

from lepton_pipeline.statistics.intervals import auc_interval

HERE = Path(__file__).parent
VERTICAL = "made"
JOBS = (VERTICAL, f"{VERTICAL}_scoring", f"{VERTICAL}_monitoring")
NEW, MOST_NEW = 0.1, 20_000
# Reasons score a row four times for each column; of wider tables they are left out.
REASONED_COLUMNS = 200
_STAGES = "stages.jsonl"
_SCALES = {"K": 1_000, "M": 1_000_000}
_VERSIONS = ("kedro", "mlflow", "torch", "scikit-learn", "pandas", "pyarrow")


@dataclass(frozen=True)
class Stage:
    """One node of a run, from the load of its first input until its last output is saved.

    Attributes:
        job: the pipeline.
        name: of the node, without the vertical.
        seconds: wall time.
        cpu: seconds of processor time.
        peak: largest resident memory of the process in this time, MiB.
    """

    job: str
    name: str
    seconds: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Measured:
    """One size and format.

    Attributes:
        rows: of the training table; a tenth as many, at most 20,000, are scored, and are new in monitoring.
        columns: beside id and outcome.
        format: "parquet" or "csv".
        reduced: what was declared otherwise than by default, empty if nothing.
        auc: of the champion on its test rows.
        best: AUC of the true probabilities there.
        stages: of all three jobs, in the order in which they ran.
        where: day, machine and versions.
    """

    rows: int
    columns: int
    format: str
    reduced: str
    auc: float
    best: float
    stages: list[Stage] = field(default_factory=list)
    where: str = ""

    @property
    def key(self) -> tuple[int, int, str, str]:
        """What one line of the record is about."""
        return self.rows, self.columns, self.format, self.reduced


class StageHook:
    """Appends every stage to a file when it has ended."""

    def __init__(self, job: str, file: Path) -> None:
        self._job, self._file, self._peak = job, file, PeakMemory()
        self._at_work, self._since = "", (0.0, 0.0)

    # The project's own hooks belong to the stage: they record its results.
    @hook_impl(tryfirst=True)
    def before_dataset_loaded(self, node: Node) -> None:
        """Begin a stage with its first input."""
        self._begin(node)

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node) -> None:
        """Begin a stage that has no input."""
        self._begin(node)

    def _begin(self, node: Node) -> None:
        if self._at_work != node.name:
            self._peak.take()
            self._at_work, self._since = node.name, _clocks()

    @hook_impl(trylast=True)
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """End it with its last output."""
        if dataset_name == node.outputs[-1]:
            seconds, cpu = (now - then for now, then in zip(_clocks(), self._since, strict=True))
            stage = Stage(self._job, node.name.rpartition(".")[2], seconds, cpu, self._peak.take())
            with self._file.open("a") as lines:
                lines.write(json.dumps(asdict(stage)) + "\n")
            self._at_work = ""


def _clocks() -> tuple[float, float]:
    # Child processes count when they have ended.
    used = os.times()
    return perf_counter(), sum(used[:4])


def watch(job: str, file: Path, arguments: Sequence[str]) -> None:
    """Run a pipeline in this process with the hook."""
    install(StageHook(job, file))  # type: ignore[arg-type]  # any object with hooks
    sys.argv = ["kedro", "run", "--pipelines", job, *arguments]
    import_module("kedro.framework.cli.cli").main()


def make(project: Path, rows: int, columns: int, suffix: str, extra: str) -> None:
    """Prepare a project with the vertical and its raw table, rows to score, and true probabilities."""
    shutil.rmtree(project, ignore_errors=True)
    prepare(project)
    raw, conf = project / "data/01_raw" / VERTICAL, project / "conf/base" / VERTICAL
    raw.mkdir(parents=True)
    conf.mkdir()
    (conf / "parameters.yml").write_text(declaration(suffix, extra))
    write(raw / f"rows.{suffix}", rows, columns, 0).to_parquet(project / "truth.parquet")
    # Kept apart until the champion is there: monitoring is to find new rows.
    few = min(max(500, round(rows * NEW)), MOST_NEW)
    write(project / f"new.{suffix}", few, columns, 1)
    write(project / f"score.{suffix}", few, columns, 1, labelled=False)


def run_job(project: Path, job: str, arguments: Sequence[str]) -> None:
    """Run one pipeline in a process of its own; where it was ended before, only what is missing."""
    done = project / f"{job}.done"
    if done.exists():
        return
    begun = project / f"{job}.begun"
    resumed = ["--only-missing-outputs"] if begun.exists() else []
    begun.touch()
    command = [sys.executable, str(HERE / "scale.py"), "--watch", job, str(project / _STAGES), "--"]
    log = project / f"{job}.log"
    with log.open("ab") as output:
        started = perf_counter()
        code = subprocess.run(
            [*command, *resumed, *arguments],
            cwd=project,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code:
        sys.exit(f"{job} ended with exit code {code}; call again to go on.\n{log.read_text()[-4000:]}")
    done.write_text(f"{perf_counter() - started:.1f}")


def measure(folder: Path, rows: int, columns: int, suffix: str, declared: Mapping[str, int]) -> Measured:
    """Make the table, train, score, monitor; each only if an earlier call has not."""
    reduced = ", ".join(f"{name} {value}" for name, value in declared.items())
    name = "-".join([str(rows), str(columns), suffix, *(f"{key}{value}" for key, value in declared.items())])
    project = folder / name
    if not (project / "made").exists():
        # The processes of a pool are not in the peak, so there is one.
        training = ", ".join(f"{key}: {value}" for key, value in {"jobs": 1, **declared}.items())
        make(project, rows, columns, suffix, f"  training: {{{training}}}\n")
        (project / "made").touch()
    run_job(project, VERTICAL, [])
    asked = f"{VERTICAL}.scoring.input={project / f'score.{suffix}'}"
    if columns > REASONED_COLUMNS:
        asked = f"{asked},{VERTICAL}.scoring.reasons=0"
    run_job(project, JOBS[1], ["--params", asked])
    added = project / "data/01_raw" / VERTICAL / f"new.{suffix}"
    if not added.exists():
        shutil.copy(project / f"new.{suffix}", added)
    run_job(project, JOBS[2], [])
    stages = [Stage(**json.loads(line)) for line in (project / _STAGES).read_text().splitlines()]
    where = f"{pd.Timestamp.now(tz='UTC'):%Y-%m-%d}; {describe_machine()}; {describe_versions(_VERSIONS)}"
    return Measured(rows, columns, suffix, reduced, *reached(project), stages, where)


def reached(project: Path) -> tuple[float, float]:
    """AUC of the champion on its test rows, and that of the true probabilities there."""
    scores = pd.read_parquet(project / f"data/07_model_output/{VERTICAL}/scores.parquet")
    test = scores[scores["part"] == "test"]
    ids = pd.read_parquet(project / f"data/04_feature/{VERTICAL}/feature_table.parquet", columns=[ID])
    known = pd.read_parquet(project / "truth.parquet").set_index(ID).loc[ids.loc[test.index, ID]]
    if not (known[OUTCOME].to_numpy() == test["label"].to_numpy()).all():
        sys.exit("labels of the test rows are not those that were made; the benchmark compares other rows.")
    label = test["label"].to_numpy()
    own, best = (auc_interval(label, each.to_numpy(), 1.96).value for each in (test["model"], known["truth"]))
    return own, best


def remember(record: Path, found: Measured) -> list[Measured]:
    """Put a measurement into the record, in place of an earlier one of the same kind; all, by size."""
    lines = record.read_text().splitlines() if record.exists() else []
    kept = [_read(json.loads(line)) for line in lines]
    kept = sorted([each for each in kept if each.key != found.key] + [found], key=lambda each: each.key[::-1])
    record.write_text("".join(json.dumps(asdict(each)) + "\n" for each in kept))
    return kept


def _read(line: dict[str, Any]) -> Measured:
    return Measured(**{**line, "stages": [Stage(**each) for each in line["stages"]]})


def report(measured: Sequence[Measured]) -> str:
    """All measurements as Markdown: a line each, then stage by stage, with exponents of growth."""
    lines = [
        [
            f"{each.rows:,} x {each.columns}",
            each.format,
            each.reduced or "none",
            *(f"{sum(stage.seconds for stage in _of(each, job)):,.0f}" for job in JOBS),
            f"{sum(stage.cpu for stage in each.stages):,.0f}",
            f"{max(stage.peak for stage in each.stages):,.0f}",
            f"{each.auc:.4f}",
            f"{each.best:.4f}",
        ]
        for each in measured
    ]
    head = ["rows x columns", "format", "declared", "training s", "scoring s", "monitoring s"]
    parts = [
        "# Seconds and memory by size",
        "`kedro run` from the raw file to the champion, then batch scoring and monitoring of a tenth as many rows, at\n"
        "most 20,000; each pipeline is a process of its own. Seconds are those of the stages. AUC is that of the test\n"
        "rows, beside that of the true probabilities there. Declared is what differs from the default, beside\n"
        "`jobs: 1`; rows of more than 200 columns are scored without reasons.",
        table([*head, "CPU s", "peak MiB", "AUC", "best"], lines),
    ]
    groups: dict[tuple[int, str, str], list[Measured]] = {}
    for each in measured:
        groups.setdefault((each.columns, each.format, each.reduced), []).append(each)
    for (columns, suffix, reduced), group in groups.items():
        title = f"## {columns} columns, {suffix}{f', {reduced}' if reduced else ''}"
        parts += [title, _by_stage(group), *dict.fromkeys(f"{each.where}." for each in group)]
    return "\n\n".join(parts) + "\n"


def _by_stage(group: Sequence[Measured]) -> str:
    names = dict.fromkeys((stage.job, stage.name) for each in group for stage in each.stages)
    lines = []
    for job, name in names:
        found = [[stage for stage in each.stages if (stage.job, stage.name) == (job, name)] for each in group]
        cpu = [sum(stage.cpu for stage in stages) for stages in found]
        peak = [max((stage.peak for stage in stages), default=0.0) for stages in found]
        lines.append(
            [
                name if job == VERTICAL else f"{job.removeprefix(f'{VERTICAL}_')}: {name}",
                *(f"{seconds:,.1f}" for seconds in cpu),
                *(f"{mib:,.0f}" for mib in peak),
                *([_exponent(group, cpu)] if len(group) > 1 else []),
            ]
        )
    sizes = [f"{each.rows:,}" for each in group]
    head = ["stage", *(f"CPU s {size}" for size in sizes), *(f"MiB {size}" for size in sizes)]
    return table([*head, *(["exponent"] if len(group) > 1 else [])], lines)


def _exponent(group: Sequence[Measured], cpu: Sequence[float]) -> str:
    """Of growth of the CPU seconds with the rows, from the first size to the last; none below a second."""
    if cpu[-1] < 1 or cpu[0] <= 0:
        return "-"
    return f"{np.log(cpu[-1] / cpu[0]) / np.log(group[-1].rows / group[0].rows):.2f}"


def _of(measured: Measured, job: str) -> Iterable[Stage]:
    return (stage for stage in measured.stages if stage.job == job)


def count(text: str) -> int:
    """Read a number of rows as 200K, 1M or 600."""
    scale = _SCALES.get(text[-1:].upper(), 1)
    try:
        rows = round(float(text if scale == 1 else text[:-1]) * scale)
    except ValueError:
        rows = 0
    if rows < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows; write 600, 200K or 3M")
    return rows


def main() -> None:
    """Measure one size and format, and write record and report."""
    if sys.argv[1:2] == ["--watch"]:
        job, file, _, *arguments = sys.argv[2:]
        watch(job, Path(file), arguments)
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=count, required=True, help="such as 600, 200K or 3M")
    parser.add_argument("--columns", type=int, default=50, help="beside id and outcome")
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--epochs", type=int, help="training.epochs, where the default takes too long")
    parser.add_argument("--folder", type=Path, default=Path(gettempdir()) / "scale", help="of the projects")
    parser.add_argument("--output", type=Path, default=HERE / "results/scale.md", help="file of the result")
    options = parser.parse_args()
    if options.columns < FEWEST_COLUMNS:
        parser.error(f"--columns {options.columns} are too few; take {FEWEST_COLUMNS} or more")
    declared = {} if options.epochs is None else {"epochs": options.epochs}
    found = measure(options.folder, options.rows, options.columns, options.format, declared)
    text = report(remember(options.output.with_suffix(".jsonl"), found))
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
