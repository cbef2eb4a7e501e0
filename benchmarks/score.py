"""What scoring in bulk takes: seconds and peak memory of `kedro run --pipelines finance_scoring`, by number of rows.

The champion is that of a temporary copy of the project in which finance is trained, or of `--project`. Rows are drawn
from the bundled table with ids of their own, without the target; every scoring is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
from machine import describe
from overhead import COMMANDS, HERE, prepare, run_process, table
from pyarrow.parquet import ParquetWriter

GOAL_ROWS, GOAL_MIB = 10_000_000, 2048
SOURCE = HERE.parent / "data/01_raw/finance/default_of_credit_card_clients.csv.gz"
_TARGET, _ID = "default payment next month", "ID"
_STAGES = ("check_input", "score_input")
_ROWS_A_GROUP = 100_000


@dataclass(frozen=True)
class Scoring:
    """One process.

    Attributes:
        rows: that went in.
        seconds: wall time.
        cpu: seconds of processor time.
        peak: largest resident memory, MiB.
        stages: seconds of the stages that look at rows.
    """

    rows: int
    seconds: float
    cpu: float
    peak: float
    stages: tuple[float, ...]


def write_rows(source: pd.DataFrame, count: int, path: Path) -> None:
    """Write rows drawn with replacement, numbered from 1, as Parquet."""
    generator = np.random.default_rng(0)
    writer: ParquetWriter | None = None
    for start in range(0, count, _ROWS_A_GROUP):
        size = min(_ROWS_A_GROUP, count - start)
        drawn = source.iloc[generator.integers(len(source), size=size)]
        block = pa.Table.from_pandas(
            drawn.assign(**{_ID: np.arange(start, start + size) + 1}), preserve_index=False
        )
        writer = writer or ParquetWriter(path, block.schema)
        writer.write_table(block)
    if writer is not None:
        writer.close()


def score(project: Path, rows: Path, count: int) -> Scoring:
    """Score a file in a process of its own."""
    log = project / "score.log"
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", "finance_scoring"]
    with log.open("wb") as output:
        started = perf_counter()
        process = subprocess.Popen(
            [*command, "--params", f"finance.scoring.reasons=0,finance.scoring.input={rows}"],
            cwd=project,
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text()
    if process.returncode:
        sys.exit(f"scoring ended with exit code {process.returncode}:\n{text[-4000:]}")
    return Scoring(count, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, stage_seconds(text))


def stage_seconds(log: str) -> tuple[float, ...]:
    """Seconds of the stages that look at rows, from the lines that a run prints."""
    found = {name: float(seconds) for name, seconds in re.findall(r"finance_scoring  (\w+) +([\d.]+) s", log)}
    return tuple(found[stage] for stage in _STAGES)


def extrapolate(first: tuple[int, float], last: tuple[int, float], rows: int) -> float:
    """The straight line through two measurements, at a number of rows."""
    (few, low), (many, high) = first, last
    return high + (high - low) / (many - few) * (rows - many)


def report(measured: Sequence[Scoring]) -> str:
    """The result as Markdown."""
    few, many = measured[0], measured[-1]
    lines = [
        [
            f"{each.rows:,}",
            f"{each.seconds:.0f}",
            f"{each.cpu:.0f}",
            *(f"{stage:.0f}" for stage in each.stages),
            f"{each.rows / each.cpu:,.0f}",
            f"{each.peak:,.0f}",
        ]
        for each in measured
    ]
    if many.rows < GOAL_ROWS and few.rows < many.rows:
        peak = extrapolate((few.rows, few.peak), (many.rows, many.peak), GOAL_ROWS)
        cpu = extrapolate((few.rows, few.cpu), (many.rows, many.cpu), GOAL_ROWS)
        foot = (
            f"Not measured, but on the straight line through the first and the last: {GOAL_ROWS:,} rows take "
            f"{peak:,.0f} MiB and {cpu:,.0f} CPU seconds (goal: {GOAL_MIB:,} MiB)."
        )
    else:
        foot = f"Goal: {GOAL_ROWS:,} rows within {GOAL_MIB:,} MiB; {many.peak:,.0f} MiB for {many.rows:,}."
    head = ["rows", "seconds", "CPU seconds", *_STAGES, "rows a CPU second", "peak MiB"]
    return f"""# Seconds and memory of scoring in bulk

`kedro run --pipelines finance_scoring`, whole processes: Parquet in, 25 columns less the target, contract checked,
Parquet out; the default size of a chunk; without reasons.

{describe(("torch", "mlflow", "great-expectations", "pandas", "pyarrow"))}

{table(head, lines)}

{foot}
"""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--project", type=Path, help="a project whose finance has a champion, instead of training one"
    )
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[100_000, 500_000, 1_000_000], help="numbers of rows"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "score.md", help="file of the result"
    )
    options = parser.parse_args()
    measured = []
    with TemporaryDirectory() as folder:
        project = options.project
        if project is None:
            project = Path(folder) / "project"
            prepare(project)
            run_process(project, COMMANDS["kedro"])
        source = pd.read_csv(SOURCE).drop(columns=_TARGET)
        for count in sorted(options.rows):
            rows = Path(folder) / "rows.parquet"
            write_rows(source, count, rows)
            measured.append(score(project, rows, count))
            print(
                f"{count:>12,} rows  {measured[-1].seconds:7.1f} s  {measured[-1].peak:6.0f} MiB", flush=True
            )
    text = report(measured)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(f"\n{text}")


if __name__ == "__main__":
    main()
