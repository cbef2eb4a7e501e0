"""The quality of the default model, against what users would take instead of it, on the same rows."""

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

import pandas as pd
import yaml
from contenders import FITS
from extra_tables import EXTRA_TABLES
from overhead import HERE, prepare, reset
from quality_metrics import METRICS, RANKED, figures, row_scores
from quality_pairs import KeptRows, measure_pairs, scores_file
from quality_product import task_of
from quality_record import Record, Task
from quality_results import Line, Results
from quality_rows import Rows
from quality_tables import goals, missed, rank_table, report

from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.declaration import find_verticals, read_vertical

CONF = HERE.parent / "conf" / "base"
RANDOM_SEEDS, TIME_SEEDS = 5, 3
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


def seeds_of(declared: Vertical, fit: str, most: int, slow: int) -> range:
    """Seeds of a fit: five where the split is random, three where it is by time, or fewer if asked."""
    seeds = min(RANDOM_SEEDS if drawn(declared) else TIME_SEEDS, most)
    return range(min(seeds, slow) if FITS[fit].slow else seeds)


def drawn(declared: Vertical) -> bool:
    """Whether the split depends on its seed."""
    return declared.split.strategy in ("stratified", "group")


def read_declaration(vertical: str) -> Vertical:
    """What a vertical or an extra table declares, every default filled in."""
    if vertical in EXTRA_TABLES:
        return EXTRA_TABLES[vertical].declared
    text = (CONF / vertical / "parameters.yml").read_text(encoding="utf-8")
    return read_vertical(vertical, yaml.safe_load(text).get(vertical))


def make_tables(project: Path, verticals: Sequence[str]) -> None:
    """Run the pipelines in a temporary copy of the project as far as the table with the features."""
    prepare(project)
    reset(project)
    # All of them: a vertical may read the files of another.
    shutil.copytree(HERE.parent / "data/01_raw", project / "data/01_raw", dirs_exist_ok=True)
    for vertical in verticals:
        nodes = f"--to-nodes={vertical}.derive_features"
        command = [sys.executable, "-m", "kedro", "run", "--pipelines", vertical, nodes]
        print(f"{vertical}: making its table", flush=True)
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(
                f"{' '.join(command)} ended with exit code {done.returncode}:\n"
                f"{(done.stdout + done.stderr)[-4000:]}"
            )


def run_fit(task: Task, rows: Path, limit: int, scores: Path) -> list[Line]:
    """Do a fit in a process of its own, on one thread and with `limit` CPU seconds.

    Returns its lines for the record; what it says of each test row is kept below the folder `scores`.
    """
    file = rows / f"{task.fit}-{task.seed}.json"
    command = [sys.executable, str(HERE / "quality.py"), "--limit-seconds", str(limit)]
    command += ["--fit", task.fit, str(task.seed), str(rows), str(file)]
    surroundings = {**os.environ, **_ONE_THREAD}
    done = subprocess.run(command, env=surroundings, cwd=rows, capture_output=True, text=True, check=False)
    if not done.returncode:
        measured: list[Line] = json.loads(file.read_text())
        kept = scores_file(scores, task.vertical, task.fit, task.seed)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file.with_suffix(".npz"), kept)
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


def measure(fit: str, seed: int, rows: Rows) -> tuple[list[Line], KeptRows]:
    """Fit in this process: a line of figures and CPU seconds by contender, and scores of the test rows."""
    for package in FITS[fit].packages:
        import_module(package)
    before = sum(os.times()[:4])
    predicted = FITS[fit].run(rows, seed)
    seconds = round(sum(os.times()[:4]) - before, 2)
    test, labels = rows.part("test"), rows.labelled("test")[1]
    (unit,) = rows.units.columns
    kept = {name: row_scores(rows.task, labels, each) for name, each in predicted.items()}
    common = {"test_rows": len(test), "cpu_seconds": seconds}
    lines: list[Line] = [
        {"contender": name, **figures(rows.task, labels, each), **common} for name, each in predicted.items()
    ]
    return lines, KeptRows(labels, unit, rows.units.loc[test, unit].to_numpy(), kept)


def compare(
    vertical: str,
    feature_table: pd.DataFrame,
    tasks: Sequence[Task],
    record: Record,
    options: argparse.Namespace,
) -> None:
    """Do the tasks of one vertical; what is stopped for one seed is not tried with the next."""
    declared = read_declaration(vertical)
    shown = RANKED[task_of(declared)][0]

    def do(task: Task, place: Path) -> None:
        if record.has(task, options.limit_seconds):
            return
        lines = run_fit(task, place, options.limit_seconds, options.scores)
        record.append(lines)
        for line in lines:
            ended = "unfinished"
            if "cpu_seconds" in line:
                ended = f"{METRICS[shown].name} {line[shown]:.4f}  {line['cpu_seconds']:8.1f} s"
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
    parser.add_argument(
        "--scores",
        type=Path,
        default=HERE / "results" / "scores",
        help="folder of what fits say of each test row, for paired intervals",
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
        declared = read_declaration(vertical)
        seeds = {
            fit: seeds_of(declared, fit, options.seeds, options.network_seeds)
            for fit in chosen
            if task_of(declared) in FITS[fit].tasks
        }
        tasks += [
            Task(vertical, seed, fit) for seed in range(options.seeds) for fit in seeds if seed in seeds[fit]
        ]
    return tasks


def main() -> None:
    """Measure what lacks, write the report, print its summary; exit code 1 where a goal is missed."""
    options = parse([*find_verticals(CONF), *EXTRA_TABLES])
    if options.fit:
        fit, seed, rows, file = options.fit
        # The kernel ends the process when it has used them up: on a busy machine wall time would say little.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (options.limit_seconds, resource.RLIM_INFINITY))
        lines, kept = measure(fit, int(seed), Rows.load(Path(rows)))
        kept.save(Path(file).with_suffix(".npz"))
        Path(file).write_text(json.dumps(lines))
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
        piped = [vertical for vertical in waiting if vertical not in EXTRA_TABLES]
        if piped and not options.outputs:
            make_tables(project, piped)
        for vertical, missing in waiting.items():
            record.enter_environment()
            if vertical in EXTRA_TABLES:
                table = EXTRA_TABLES[vertical].make()
            else:
                table = pd.read_parquet(project / "data/04_feature" / vertical / "feature_table.parquet")
            compare(vertical, table, missing, record, options)
            measure_pairs(record, options.scores, [vertical])
            write_report(record, options)
    measure_pairs(record, options.scores, options.verticals)
    write_report(record, options)
    tasks_done = Results.by_task(record.lines)
    for results in tasks_done:
        print(f"\n{rank_table(results, results.headline)}\n\n{goals(results)}")
    goals_missed = [goal for results in tasks_done for goal in missed(results)]
    sys.exit(", ".join(f"missed: {goal}" for goal in goals_missed) or 0)


def write_report(record: Record, options: argparse.Namespace) -> None:
    """Write what is known so far."""
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(report(record.lines, options.network_seeds, options.max_rows_slow))


if __name__ == "__main__":
    main()
