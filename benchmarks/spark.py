"""A registered version as a function of Spark's SQL: are the scores those of the pyfunc itself, and at what cost?

The version is read by `mlflow.pyfunc.spark_udf` in a session of Spark on this machine, which listens on loopback only.
Needs pyspark, which is no dependency of the project, and Java.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from machine import describe
from overhead import HERE, table
from predict import registered_model
from score import SOURCE, write_rows
from two_nodes import measured

_TARGET = "default payment next month"
_RESULT = "probability double, decision boolean"


@dataclass(frozen=True)
class Scored:
    """Rows that were scored in one way.

    Attributes:
        name: of the way.
        seconds: wall time.
        cpu: seconds of processor time of all processes below this one, or of this one.
        scores: by ID, the columns of the task.
    """

    name: str
    seconds: float
    cpu: float
    scores: pd.DataFrame


def session(cores: int) -> Any:
    """A session of Spark on this machine."""
    from pyspark.sql import SparkSession

    # Workers would take the python3 of the PATH, and Spark the address of a network.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master(f"local[{cores}]").appName("lepton_pipeline")
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        # Each partition's process loads the model, so there are as many as cores.
        "spark.default.parallelism": str(cores),
        "spark.sql.files.maxPartitionBytes": "1g",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def score_by_spark(spark: Any, model: str, rows: Path, name: str) -> Scored:
    """Score a Parquet file by `spark_udf`."""
    import mlflow
    from pyspark.sql.functions import struct

    cores = spark.sparkContext.defaultParallelism
    with measured(os.getpid(), 0) as (before, usage):
        started = perf_counter()
        function = mlflow.pyfunc.spark_udf(spark, model, result_type=_RESULT, env_manager="local")
        read = spark.read.parquet(str(rows)).repartition(cores)
        found = (
            read.select("ID", function(struct(*read.columns)).alias("made")).select("ID", "made.*").toPandas()
        )
        seconds = perf_counter() - started
    return Scored(name, seconds, usage.since(before), found.set_index("ID").sort_index())


def score_here(model: str, rows: Path) -> Scored:
    """Score a Parquet file by the pyfunc in this process."""
    import mlflow

    begun, used = perf_counter(), os.times()
    table = pd.read_parquet(rows)
    found = mlflow.pyfunc.load_model(model).predict(table)
    now = os.times()
    cpu = now.user + now.system - used.user - used.system
    return Scored("the pyfunc in one process", perf_counter() - begun, cpu, found.set_axis(table["ID"]))


def differing(first: pd.DataFrame, second: pd.DataFrame) -> int:
    """Rows that differ by a bit."""
    equal = np.ones(len(first), dtype=bool)
    for name in first:
        one, other = first[name].to_numpy(), second[name].reindex(first.index).to_numpy()
        if one.dtype == np.float64:
            one, other = one.view(np.int64), other.astype(np.float64).view(np.int64)
        equal &= one == other
    return int((~equal).sum())


def report(cores: int, found: Sequence[Scored]) -> str:
    """The result as Markdown."""
    alone = found[0]
    rows = [
        [each.name, f"{each.seconds:.0f}", f"{each.cpu:.0f}", str(differing(alone.scores, each.scores))]
        for each in found
    ]
    # Of a quarter of an hour: what else the machine had to do.
    load = f"load average {os.getloadavg()[2]:.0f}"
    return f"""# A version as a function of Spark

{len(alone.scores):,} rows of finance from a Parquet file, by `mlflow.pyfunc.spark_udf(..., env_manager="local")` on
`local[{cores}]`, and by the pyfunc in one process. CPU seconds of Spark are those of Java and of its workers.

{describe(("pyspark", "mlflow", "torch", "pandas", "pyarrow"), load)}

{table(["how", "seconds", "CPU seconds", "rows that differ"], rows)}
"""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracking", help="address of a store that has the model, instead of training one")
    parser.add_argument("--model", default="models:/finance@champion", help="its address there")
    parser.add_argument("--rows", type=int, default=100_000, help="number of rows")
    parser.add_argument("--cores", type=int, default=2, help="threads of Spark")
    parser.add_argument("--output", type=Path, default=HERE / "results/spark.md", help="file of the result")
    options = parser.parse_args()
    # Keeps the libraries quiet, as the settings do within Kedro.
    import_module("lepton_pipeline.settings")
    if options.tracking:
        text = measure(options.tracking, options.model, options.rows, options.cores)
    else:
        with registered_model() as (tracking, model, _):
            text = measure(tracking, model, options.rows, options.cores)
    options.output.write_text(text)
    print(text)


def measure(tracking: str, model: str, count: int, cores: int) -> str:
    """Score in all ways, and report."""
    import mlflow

    # Workers read the files of the model from where Spark copies them, not from the store.
    mlflow.set_tracking_uri(tracking)
    mlflow.set_registry_uri(tracking)
    with TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.parquet"
        write_rows(pd.read_csv(SOURCE).drop(columns=_TARGET), count, rows)
        alone = score_here(model, rows)
        spark = session(cores)
        try:
            found = [score_by_spark(spark, model, rows, name) for name in ("Spark", "Spark, once more")]
        finally:
            spark.stop()
    return report(cores, [alone, *found])


if __name__ == "__main__":
    main()
