"""What reading a table costs: a CSV file to the checked Parquet table, against a bare pyarrow stream of the same file.

Each side is a process of its own on one thread. Ours is what a run does of it: `ingest_table`, `check_contract` and
`enforce_contract`, with what they hand to each other on disk; the other one writes texts and checks nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from machine import describe
from overhead import HERE, table

GOAL_ROWS, GOAL_MIB = 5_000_000, 2048
STAGES = ("ingest_table", "check_contract", "enforce_contract")
_ROWS_A_BLOCK = 100_000
_COMMENTS = ("", "on time", "late, but well packed", 'said "never again"', "déjà vu", "42")
_CITIES = ("Graz", "Lyon", "São Paulo", "Łódź", "")


@dataclass(frozen=True)
class Side:
    """One process.

    Attributes:
        seconds: wall time.
        cpu: seconds of processor time, without what imports take.
        peak: largest resident memory, MiB.
        stages: seconds of processor time by stage.
    """

    seconds: float
    cpu: float
    peak: float
    stages: dict[str, float]


def write_rows(count: int, path: Path) -> None:
    """Write a CSV file of 20 columns: keys of 20 digits, times, whole numbers, decimals, codes, quoted texts, gaps."""
    generator = np.random.default_rng(0)
    for start in range(0, count, _ROWS_A_BLOCK):
        size = min(_ROWS_A_BLOCK, count - start)
        numbers = {f"x{at}": generator.normal(size=size).round(4) for at in range(8)}
        times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(start, start + size), unit="s")
        rows = pd.DataFrame(
            {
                "id": np.arange(start, start + size) + 1,
                "key": [f"{10**19 + each}" for each in range(start, start + size)],
                "at": times.strftime("%Y-%m-%d %H:%M:%S"),
                **numbers,
                "age": generator.integers(18, 100, size),
                "items": generator.poisson(3, size),
                "amount": generator.gamma(2, 50, size).round(2),
                "postcode": [f"{each:05d}" for each in generator.integers(0, 99_999, size)],
                "city": generator.choice(_CITIES, size),
                "segment": generator.choice(list("ABCD"), size),
                "active": generator.choice(["yes", "no"], size),
                "comment": generator.choice(_COMMENTS, size),
                "came": generator.integers(0, 2, size),
            }
        )
        rows["x0"] = rows["x0"].mask(generator.random(size) < 0.05)
        rows.to_csv(
            path, mode="a" if start else "w", header=not start, index=False, quoting=csv.QUOTE_MINIMAL
        )


def run_ours(source: Path, folder: Path) -> dict[str, float]:
    """Read and check the file in this process, and give the CPU seconds of each stage."""
    from lepton_pipeline.data.contracts.contract import check_contract, enforce_contract
    from lepton_pipeline.data.contracts.validation import great_expectations_context, quiet_great_expectations
    from lepton_pipeline.data.ingest import ingest_table
    from lepton_pipeline.datasets import AtomicDataset, RawTableDataset, StreamedParquetDataset
    from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion

    with quiet_great_expectations():
        great_expectations_context()
    dataset, ingestion = Dataset.model_validate(_DATASET), Ingestion.model_validate(_INGESTION)
    contract, features = Contract.model_validate(_CONTRACT), Features()
    rows = StreamedParquetDataset(filepath=str(folder / "table.parquet"), by_chunks=True)
    clean = StreamedParquetDataset(filepath=str(folder / "clean_table.parquet"))
    quarantined = AtomicDataset(filepath=str(folder / "quarantine.parquet"), dataset="pandas.ParquetDataset")
    seconds = [process_time()]
    made, record = ingest_table(
        RawTableDataset(filepath=str(source)).load(), dataset, ingestion, contract, features
    )
    rows.save(made)
    del made
    seconds.append(process_time())
    result, quarantine, _ = check_contract(rows.load(), dataset, contract, features)
    quarantined.save(quarantine)
    seconds.append(process_time())
    clean.save(enforce_contract(rows.load(), quarantined.load(), result, contract))
    seconds.append(process_time())
    if not result.success or record.rows != result.rows:
        sys.exit(f"the contract does not hold: {result.stops}")
    return dict(zip(STAGES, np.diff(seconds).tolist(), strict=True))


def run_bare(source: Path, folder: Path) -> dict[str, float]:
    """Stream the file to Parquet as texts, with pyarrow alone."""
    import pyarrow as pa
    from pyarrow import csv as arrow
    from pyarrow.parquet import ParquetWriter

    started = process_time()
    with source.open() as stream:
        names = next(csv.reader(stream))
    reader = arrow.open_csv(
        source,
        read_options=arrow.ReadOptions(use_threads=False, block_size=1 << 23),
        parse_options=arrow.ParseOptions(newlines_in_values=True),
        convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    with ParquetWriter(folder / "bare.parquet", reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    return {"stream": process_time() - started}


_SIDES = {"ours": run_ours, "bare": run_bare}
_DATASET = {
    "target": "came",
    "positive": 1,
    "id": "id",
    "time": "at",
    "categorical": ["segment", "city", "postcode"],
    "numeric": ["age", "items", "amount"],
}
_INGESTION = {"dates": {"at": "%Y-%m-%d %H:%M:%S"}}
_CONTRACT = {
    "expectations": [
        {"expect": "column_values_to_be_unique", "column": "id"},
        {"expect": "column_values_to_be_between", "column": "age", "min_value": 18, "max_value": 110},
        {
            "expect": "column_values_to_be_between",
            "column": "amount",
            "min_value": 0,
            "on_failure": "quarantine",
        },
        {"expect": "column_values_to_be_in_set", "column": "segment", "value_set": list("ABCD")},
        {"expect": "column_values_to_match_regex", "column": "postcode", "regex": r"^\d{5}$"},
        {"expect": "column_values_to_not_be_null", "column": "x1"},
        {"expect": "column_mean_to_be_between", "column": "items", "min_value": 1, "max_value": 10},
        {"expect": "table_row_count_to_be_between", "min_value": 100, "on_failure": "warn"},
    ]
}


def measure(side: str, source: Path) -> Side:
    """Run one side in a process of its own."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--side", side, "--source", str(source), "--folder", folder]
        log = Path(folder) / "log"
        with log.open("wb") as output:
            started = perf_counter()
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=_one_thread())
            _, status, used = os.wait4(process.pid, 0)
            seconds = perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{side} ended with exit code {process.returncode}:\n{log.read_text()[-4000:]}")
        stages = json.loads(log.read_text().splitlines()[-1])
    return Side(seconds, sum(stages.values()), used.ru_maxrss / 1024, stages)


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1"}


def ratio(ours: Sequence[Side], bare: Sequence[Side]) -> float:
    """CPU seconds of ours over those of the bare stream, medians of both."""
    return median(each.cpu for each in ours) / median(each.cpu for each in bare)


def report(rows: int, size: int, ours: Sequence[Side], bare: Sequence[Side]) -> str:
    """The result as Markdown; `size` is that of the file in bytes."""
    peak = max(each.peak for each in ours)
    lines = [["bare stream", *_figures(bare)], ["ingest and contract", *_figures(ours)]]
    lines += [[f"  {name}", "", f"{median(each.stages[name] for each in ours):.1f}", ""] for name in STAGES]
    goal = f"Goal: {GOAL_ROWS:,} rows within {GOAL_MIB:,} MiB"
    foot = (
        f"{goal}; {peak:,.0f} MiB for {rows:,}." if rows >= GOAL_ROWS else f"{goal}; {rows:,} were measured."
    )
    return f"""# Seconds and memory from a CSV file to the checked table

{rows:,} rows x 20 columns, {size / 2**20:,.0f} MiB of CSV: read, typed, held to a contract of eight expectations,
written as Parquet; {len(ours)} runs of each side, medians, memory the largest. One thread.

{describe(("great-expectations", "pandas", "pyarrow"))}

{table(["", "seconds", "CPU seconds", "peak MiB"], lines)}

Ratio of CPU seconds: {ratio(ours, bare):.1f}. {foot}
"""


def _figures(sides: Sequence[Side]) -> list[str]:
    seconds, cpu = (median(getattr(each, name) for each in sides) for name in ("seconds", "cpu"))
    return [f"{seconds:.1f}", f"{cpu:.1f}", f"{max(each.peak for each in sides):,.0f}"]


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", type=int, default=500_000, help=f"number of rows; the goal is about {GOAL_ROWS:,}"
    )
    parser.add_argument("--runs", type=int, default=3, help="runs of each side")
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "ingest.md", help="file of the result"
    )
    parser.add_argument("--side", choices=list(_SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(_SIDES[options.side](options.source, options.folder)))
        return
    sides: dict[str, list[Side]] = {name: [] for name in _SIDES}
    with TemporaryDirectory() as folder:
        source = Path(folder) / "rows.csv"
        write_rows(options.rows, source)
        for _ in range(options.runs):
            for name, runs in sides.items():
                runs.append(measure(name, source))
                print(f"{name:>5}  {runs[-1].cpu:7.1f} CPU s  {runs[-1].peak:6.0f} MiB", flush=True)
        text = report(options.rows, source.stat().st_size, sides["ours"], sides["bare"])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(f"\n{text}")


if __name__ == "__main__":
    main()
