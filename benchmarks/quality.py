"""The quality of the default model on every bundled vertical, against what users would take instead of it."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml
from contenders import FITS
from overhead import HERE, prepare, reset
from quality_record import Record, Task
from quality_rows import Rows
from quality_tables import Line, Results, goals, missed, rank_table, report

from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.declaration import find_verticals, read_vertical

CONF = HERE.parent / "conf" / "base"
RANDOM_SEEDS, TIME_SEEDS = 5, 3
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


def seeds_of(declared: Vertical, fit: str, most: int, slow: int) -> range:
    """Seeds of a fit: five where the split is random, three where it is by time, fewer where that was asked for."""
    seeds = min(RANDOM_SEEDS if drawn(declared) else TIME_SEEDS, most)
    return range(min(seeds, slow) if FITS[fit].slow else seeds)


def drawn(declared: Vertical) -> bool:
    """Whether the split depends on its seed."""
    return declared.split.strategy in ("stratified", "group")


def read_declaration(vertical: str) -> Vertical:
    """What a vertical declares, every default filled in."""
    text = (CONF / vertical / "parameters.yml").read_text(encoding="utf-8")
    return read_vertical(vertical, yaml.safe_load(text).get(vertical))


def make_tables(project: Path, verticals: Sequence[str]) -> None:
    """Run the pipelines in a temporary copy of the project as far as the table with the features."""
    prepare(project)
    reset(project)
    for vertical in verticals:
        raw = Path("data/01_raw") / vertical
        shutil.copytree(HERE.parent / raw, project / raw, dirs_exist_ok=True)
        nodes = f"--to-nodes={vertical}.derive_features"
        command = [sys.executable, "-m", "kedro", "run", "--pipelines", vertical, nodes]
        print(f"{vertical}: making its table", flush=True)
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(
                f"{' '.join(command)} ended with exit code {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}"
            )


def run_fit(task: Task, rows: Path, limit: int) -> list[Line]:
    """Do a fit in a process of its own, on one thread and with `limit` CPU seconds; its lines for the record."""
    file = rows / f"{task.fit}-{task.seed}.json"
    command = [sys.executable, str(HERE / "quality.py"), "--limit-seconds", str(limit)]
    command += ["--fit", task.fit, str(task.seed), str(rows), str(file)]
    surroundings = {**os.environ, **_ONE_THREAD}
    done = subprocess.run(command, env=surroundings, cwd=rows, capture_output=True, text=True, check=False)
    if not done.returncode:
        measured: list[Line] = json.loads(file.read_text())
        return [{"vertical": task.vertical, "seed": task.seed, **line} for line in measured]
    ended: Line = {"stopped": limit}
    if done.returncode != -signal.SIGXCPU:
        print(
            f"{task} ended with exit code {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}",
            flush=True,
        )
        ended = {"failed": f"exit code {done.returncode}"}
    return [
        {"vertical": vertical, "seed": seed, "contender": name, **ended} for vertical, seed, name in task.keys
    ]


def measure(fit: str, seed: int, rows: Rows) -> list[Line]:
    """Fit in this process: figures of the test rows and CPU seconds, one line a contender."""
    for package in FITS[fit].packages:
        import_module(package)
    before = sum(os.times()[:4])
    scores = FITS[fit].run(rows, seed)
    seconds = round(sum(os.times()[:4]) - before, 2)
    labels = rows.labelled("test")[1]
    return [
        {"contender": name, **figures(labels, each), "cpu_seconds": seconds} for name, each in scores.items()
    ]


def figures(labels: Any, scores: Any) -> dict[str, float]:
    """AUC, log loss and average precision of probabilities of the positive class."""
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

    return {
        "auc": round(float(roc_auc_score(labels, scores)), 6),
        "log_loss": round(float(log_loss(labels, scores)), 6),
        "average_precision": round(float(average_precision_score(labels, scores)), 6),
    }


def compare(
    vertical: str, table: Path, tasks: Sequence[Task], record: Record, options: argparse.Namespace
) -> None:
    """Do the tasks of one vertical; what is stopped for one seed is not tried with the next."""
    declared, feature_table = read_declaration(vertical), pd.read_parquet(table)

    def do(task: Task, place: Path) -> None:
        if record.has(task, options.limit_seconds):
            return
        lines = run_fit(task, place, options.limit_seconds)
        record.append(lines)
        for line in lines:
            ended = f"AUC {line['auc']:.4f}  {line['cpu_seconds']:8.1f} s" if "auc" in line else "unfinished"
            print(f"{vertical:15} seed {task.seed}  {line['contender']:24} {ended}", flush=True)

    with TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        train_rows: dict[Path, int] = {}
        waiting = []
        try:
            for task in tasks:
                draw = task.seed if drawn(declared) else 0
                place = Path(folder) / str(draw)
                if place not in train_rows:
                    rows = Rows.make(feature_table, declared, draw)
                    rows.save(place)
                    train_rows[place] = len(rows.part("train"))
                    record.describe(vertical, declared, rows)
                if not FITS[task.fit].slow or train_rows[place] <= options.max_rows_slow:
                    waiting.append(pool.submit(do, task, place))
            for each in waiting:
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def parse(known: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--verticals", nargs="+", choices=known, default=known, metavar="VERTICAL", help=", ".join(known)
    )
    parser.add_argument(
        "--only", nargs="+", choices=FITS, default=list(FITS), metavar="FIT", help=", ".join(FITS)
    )
    parser.add_argument(
        "--seeds", type=int, default=RANDOM_SEEDS, help="most seeds a vertical (default 5, by time 3)"
    )
    parser.add_argument(
        "--network-seeds", type=int, default=1, help="most seeds of RealMLP-TD and TabM (default 1)"
    )
    parser.add_argument(
        "--max-rows-slow",
        type=int,
        default=60_000,
        help="training rows beyond which these are not tried (60000)",
    )
    parser.add_argument(
        "--limit-seconds", type=int, default=1800, help="CPU seconds of a fit, at most (1800)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="fits at the same time (default 1)")
    parser.add_argument("--fresh", action="store_true", help="forget the chosen fits and do them again")
    parser.add_argument(
        "--outputs",
        type=Path,
        help="folder of a project with data/04_feature/<vertical>/feature_table.parquet",
    )
    parser.add_argument(
        "--record", type=Path, default=HERE / "results" / "quality.jsonl", help="file of the figures"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "quality.md", help="file of the report"
    )
    parser.add_argument("--fit", nargs=4, metavar=("FIT", "SEED", "ROWS", "FILE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def plan(options: argparse.Namespace) -> list[Task]:
    """The fits that were asked for and whose packages are installed."""
    chosen = []
    for fit in options.only:
        if absent := FITS[fit].missing:
            print(
                f"{fit}: left out, {absent[0]} is not installed; see benchmarks/requirements.txt", flush=True
            )
        else:
            chosen.append(fit)
    tasks = []
    for vertical in options.verticals:
        seeds = {
            fit: seeds_of(read_declaration(vertical), fit, options.seeds, options.network_seeds)
            for fit in chosen
        }
        tasks += [
            Task(vertical, seed, fit) for seed in range(options.seeds) for fit in chosen if seed in seeds[fit]
        ]
    return tasks


def main() -> None:
    """Measure what is not yet measured, write the report, print its summary; exit code 1 where a goal is missed."""
    options = parse(find_verticals(CONF))
    if options.fit:
        fit, seed, rows, file = options.fit
        # The kernel ends the process when it has used them up: on a busy machine wall time would say little.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (options.limit_seconds, resource.RLIM_INFINITY))
        Path(file).write_text(json.dumps(measure(fit, int(seed), Rows.load(Path(rows)))))
        return
    record, tasks = Record(options.record), plan(options)
    if options.fresh:
        record.forget(tasks)
    waiting: dict[str, list[Task]] = {}
    for task in tasks:
        if not record.has(task, options.limit_seconds):
            waiting.setdefault(task.vertical, []).append(task)
    with TemporaryDirectory() as folder:
        project = options.outputs or Path(folder) / "project"
        if waiting and not options.outputs:
            make_tables(project, list(waiting))
        for vertical, missing in waiting.items():
            record.enter_environment()
            table = project / "data/04_feature" / vertical / "feature_table.parquet"
            compare(vertical, table, missing, record, options)
            write_report(record, options)
    write_report(record, options)
    results = Results.read(record.lines)
    print(f"\n{rank_table(results, 'auc')}\n\n{goals(results)}")
    sys.exit(", ".join(f"missed: {goal}" for goal in missed(results)) or 0)


def write_report(record: Record, options: argparse.Namespace) -> None:
    """Write what is known so far."""
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(report(record.lines, options.network_seeds, options.max_rows_slow))


if __name__ == "__main__":
    main()
