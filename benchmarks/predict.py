"""How long a registered model takes for one row and for a million, where the time goes, and what memory it needs.

The model is what `mlflow.pyfunc.load_model` gives for the version that `kedro run --pipelines finance` registers in a
temporary copy of the project, or the one of `--model`; rows are drawn from its table, repeated as often as need be.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
from machine import describe
from overhead import COMMANDS, HERE, prepare, run_process, table
from verticals import PeakMemory

from lepton_pipeline.model.artefact import Artefact

WHOLE, REST, CHECKS = (
    "the whole model",
    "blend, calibration, threshold, frames",
    "reading and checking the rows",
)
Call = Callable[[pd.DataFrame], Any]
# Enough for a share of the time: the rows of this number are scored once more part by part.
_ROWS_OF_PARTS = 100_000
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Bulk:
    """Many rows, scored in one call.

    Attributes:
        rows: how many.
        seconds: wall time.
        cpu: seconds of processor time.
        before: resident memory of the process with model and rows in it, MiB.
        peak: largest resident memory while they were scored, MiB.
    """

    rows: int
    seconds: float
    cpu: float
    before: float
    peak: float


@contextmanager
def registered_model() -> Iterator[tuple[str, str, Path]]:
    """Train finance in a temporary copy of the project: address of the store, of the model, and its table of rows."""
    with TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        prepare(project)
        run_process(project, COMMANDS["kedro"])
        made = json.loads((project / "data/08_reporting/finance/registration.json").read_text())
        feature_table = project / "data/04_feature/finance/feature_table.parquet"
        yield f"sqlite:///{project}/mlflow.db", f"models:/{made['name']}/{made['version']}", feature_table


def load(tracking: str | None, model: str) -> tuple[Call, Artefact]:
    """The predict function of a pyfunc, and the artefact behind it."""
    # Keeps the libraries quiet, as the settings do within Kedro.
    import_module("lepton_pipeline.settings")
    import mlflow

    if tracking:
        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(tracking)
    loaded = mlflow.pyfunc.load_model(model)
    return loaded.predict, loaded.unwrap_python_model().artefact


def draw_rows(source: pd.DataFrame, artefact: Artefact, count: int) -> pd.DataFrame:
    """Rows of the model's input columns, drawn with replacement."""
    places = np.random.default_rng(0).integers(len(source), size=count)
    return source[list(artefact.inputs)].iloc[places].reset_index(drop=True)


def parts(artefact: Artefact, rows: pd.DataFrame) -> dict[str, Callable[[], object]]:
    """The steps from raw rows to the scores of the parts of the model, each as it is called when these rows come."""
    wanted, predictor = artefact.encoder.inputs, artefact.predictor
    derived = artefact.derivation.apply(rows, wanted)
    encoded = artefact.encoder.transform(derived)
    boosting = predictor.boosting
    return {
        "derived columns": lambda: artefact.derivation.apply(rows, wanted),
        "encoder": lambda: artefact.encoder.transform(derived),
        "networks": lambda: predictor.network.predict(encoded),
        **({"boosting": lambda: [trees.outputs(encoded) for trees in boosting]} if boosting else {}),
    }


def time_turns(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int,
    now: Callable[[], float] = perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every call, which take turns, so that what else the machine does meets all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(warm_up + rounds):
        for name, call in calls.items():
            started = now()
            call()
            seconds[name].append(now() - started)
    return {name: each[warm_up:] for name, each in seconds.items()}


def time_parts(
    predict: Call,
    artefact: Artefact,
    rows: pd.DataFrame,
    rounds: int,
    warm_up: int = 20,
    now: Callable[[], float] = perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every call of the whole model and of each of its parts; what is between them by subtraction."""
    calls = {WHOLE: lambda: predict(rows), REST: lambda: artefact.predict(rows), **parts(artefact, rows)}
    seconds = time_turns(calls, rounds, warm_up, now)
    own = median(seconds.pop(REST))
    whole = median(seconds[WHOLE])
    named = sum(median(each) for name, each in seconds.items() if name != WHOLE)
    return seconds | {REST: [own - named], CHECKS: [whole - own]}


def time_bulk(predict: Call, rows: pd.DataFrame, peak: Callable[[], float]) -> Bulk:
    """Score rows in one call.

    Args:
        predict: the model.
        rows: all that is scored.
        peak: the peak of memory since its last call, MiB; called twice at once, it gives the memory of this moment.
    """
    peak()
    before = peak()
    wall, cpu = perf_counter(), process_time()
    predict(rows)
    return Bulk(len(rows), perf_counter() - wall, process_time() - cpu, before, peak())


def latency_table(seconds: Mapping[str, Sequence[float]]) -> str:
    """Milliseconds of one row: median, 99th percentile, share of the median; a difference has no percentile."""
    whole = median(seconds[WHOLE])
    rows = [
        [
            name,
            f"{median(each) * 1000:.2f}",
            f"{np.quantile(each, 0.99) * 1000:.2f}" if len(each) > 1 else "—",
            f"{median(each) / whole:.0%}",
        ]
        for name, each in seconds.items()
    ]
    return table(["one row", "p50 ms", "p99 ms", "share"], rows)


def parts_table(seconds: Mapping[str, Sequence[float]], count: int) -> str:
    """CPU microseconds a row where many are scored at once, and their share."""
    whole = median(seconds[WHOLE])
    rows = [
        [name, f"{median(each) / count * 1e6:.2f}", f"{median(each) / whole:.0%}"]
        for name, each in seconds.items()
    ]
    return table([f"of {count:,} rows", "CPU µs a row", "share"], rows)


def bulk_table(bulks: Sequence[Bulk]) -> str:
    """One line for each number of rows."""
    rows = [
        [
            f"{bulk.rows:,}",
            f"{bulk.seconds:.1f}",
            f"{bulk.cpu:.1f}",
            f"{bulk.rows / bulk.cpu:,.0f}",
            *(f"{memory:,.0f}" for memory in (bulk.before, bulk.peak, bulk.peak - bulk.before)),
        ]
        for bulk in bulks
    ]
    return table(
        ["rows", "seconds", "CPU seconds", "rows a CPU second", "MiB before", "peak MiB", "added"], rows
    )


def model_line(name: str, artefact: Artefact) -> str:
    """What the model is, in a sentence."""
    network, boosting = artefact.predictor.network, artefact.predictor.boosting
    count = sum(len(trees.leaves) for trees in boosting)
    trees = f"boosting of {count:,} trees" if boosting else "no boosting"
    return (
        f"Model `{name}`: {len(artefact.inputs)} raw columns, {len(network.numeric)} numbers and "
        f"{len(network.categorical)} codes; {network.trained['networks']} networks (`{network.training.model}`),"
        f"\n{trees}."
    )


def report(line: str, single: Mapping[str, Sequence[float]], many: str, bulks: Sequence[Bulk]) -> str:
    """The result as Markdown."""
    return f"""# Seconds and memory of predictions

{line}

{describe(["torch", "mlflow", "pandas", "numpy"])}

One process, one thread. The model and its parts are called in turn, each on its own; what is between the parts is the
difference of medians.

## One row

{len(single[WHOLE]):,} calls after a warm-up, of the loaded pyfunc with a frame of one row.

{latency_table(single)}

## Many rows

{bulk_table(bulks)}

{many}
"""


def measure(
    name: str, predict: Call, artefact: Artefact, source: pd.DataFrame, sizes: Sequence[int], calls: int
) -> str:
    """Measure all and return the report."""
    single = time_parts(predict, artefact, draw_rows(source, artefact, 1), calls)
    print(latency_table(single), flush=True)
    memory = PeakMemory()
    bulks = []
    for size in sizes:
        rows = draw_rows(source, artefact, size)
        bulks.append(time_bulk(predict, rows, memory.take))
        print(f"\n{bulk_table(bulks[-1:])}", flush=True)
        del rows
    count = min(_ROWS_OF_PARTS, max(sizes))
    parted = time_parts(predict, artefact, draw_rows(source, artefact, count), 3, warm_up=1, now=process_time)
    many = parts_table(parted, count)
    return report(model_line(name, artefact), single, many, bulks)


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", help="address or folder of a model, instead of training finance; needs --table"
    )
    parser.add_argument("--table", type=Path, help="Parquet file of rows with the model's columns")
    parser.add_argument("--tracking", help="address of the MLflow server of --model (default: MLflow's own)")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="rows at once")
    parser.add_argument("--calls", type=int, default=500, help="calls with one row (default 500)")
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "predict.md", help="file of the result"
    )
    options = parser.parse_args()
    if bool(options.model) != bool(options.table):
        parser.error("--model and --table go together: a model, and rows to score with it")
    if not _STATUS.exists():
        parser.error(f"memory is read from {_STATUS}, which this system does not have; use Linux")
    if options.model:
        predict, artefact = load(options.tracking, options.model)
        text = measure(
            options.model, predict, artefact, pd.read_parquet(options.table), options.rows, options.calls
        )
    else:
        with registered_model() as (tracking, model, feature_table):
            predict, artefact = load(tracking, model)
            source = pd.read_parquet(feature_table)
            text = measure(model, predict, artefact, source, options.rows, options.calls)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(f"\n{text}")


if __name__ == "__main__":
    main()
