"""Evidence of a made-up run, in the shapes that the stages return."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult, ExpectationResult
from lepton_pipeline.data.reading import BrokenRecord, IngestionRecord, ReadFile, Reading, SkippedFile
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.evaluation.decision import Check, GateDecision
from lepton_pipeline.evaluation.drift import measure_drift
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.features.column_record import CATEGORY, DATE, NUMBER, UNUSED, Column, Columns
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import About, Dataset, Evaluation, Vertical
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.reporting.report.evidence import Evidence
from lepton_pipeline.system.records import from_plain
from lepton_pipeline.tracking.lineage import Lineage

ABOUT = About(
    question="Will a client default on next month's payment?",
    caution="Clients of one bank in 2005",
    intended_use="To rank clients for a call before payment is due.",
    out_of_scope="Deciding on credit.",
    limits="Younger clients are few.",
    licence="Source, CC BY 4.0",
)


def figure(value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, **more}


def make_scores(rows: int = 600) -> pd.DataFrame:
    random = np.random.default_rng(3)
    labels = (np.arange(rows) % 4 == 0).astype(np.int8)
    frame = pd.DataFrame(
        {"part": np.where(np.arange(rows) < rows // 2, "validation", "test"), "label": labels}
    )
    names = ("model", "network", "logistic_regression", "hist_gradient_boosting")
    return frame.assign(
        **{name: 1 / (1 + np.exp(1 - 2 * labels - random.normal(size=rows))) for name in names}
    )


def make_drift(column: str = "LIMIT_BAL", level: str = "new") -> dict[str, Any]:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {"y": [0, 1] * 200, column: random.normal(size=400), "JOB": ["a", "b", "a", "c"] * 100}
    )
    split = pd.DataFrame({"part": ["train"] * 300 + ["test"] * 100})
    encoder = Encoder.fit(table.loc[:299], Dataset(target="y", positive=1))
    moved = table.assign(**{column: table[column] + 2 * (table.index >= 300)})
    return measure_drift(moved.assign(JOB=moved["JOB"].mask(moved.index >= 370, level)), split, encoder)


def make_copies(**changes: Any) -> dict[str, Any]:
    """Copies that are no more than chance makes, and patients on both sides of the split."""
    without = {"rows": 90, "positives": 30, "auc": figure(0.71, 0.62, 0.79)}
    copies = {
        "rows": 12,
        "by_chance": 11,
        "example": (4, 7),
        "ignored": ["ID"],
        "repeated": 31,
        "share": 0.04,
    }
    patients = {"column": "patient", "declared": False, "entities": 50, "one_outcome": 50, "test_rows": 210}
    return {
        "rows": 1500,
        "test_rows": 300,
        "strategy": "stratified",
        "auc": figure(0.84, 0.8, 0.88),
        "copies": copies | {"without": without, "decide": False} | changes,
        "entities": [patients | {"without": without}],
    }


def make_costs(unit: str = "EUR") -> Costs:
    cost = figure(61234.5, 55000.1, 67000.2)
    thresholds = np.linspace(0.05, 0.95, 19)
    curve = 50000 + 90000 * (thresholds - 0.3) ** 2
    content = {
        "declared": True,
        "unit": unit,
        "threshold": 0.3,
        "what_if": [
            {
                "threshold": 0.2,
                "acted": 410.2,
                "precision": 0.43,
                "recall": 0.81,
                "cost": cost,
                "chosen": False,
            },
            {
                "threshold": 0.3,
                "acted": 288.7,
                "precision": 0.567,
                "recall": 0.65,
                "cost": figure(58765.4, 5e4, 6.5e4),
                "chosen": True,
            },
        ],
        "policies": {
            "model": figure(58765.4, 50000, 65000),
            "all": figure(78000, 78000, 78000),
            "none": figure(110500, 110500, 110500),
            "hist_gradient_boosting": figure(58900, 50300, 65500),
        },
        "saving": {
            "all": figure(19234.6, 13000, 28000),
            "none": figure(51734.6, 45500, 60500),
            "hist_gradient_boosting": figure(134.6, -800, 1050),
        },
        "curve": {key: list(curve * by) for key, by in (("cost", 1.0), ("low", 0.9), ("high", 1.1))}
        | {"threshold": list(thresholds)},
        "capacity": {
            "per_1000": 100,
            "threshold": 0.61,
            "acted": 99.3,
            "precision": 0.72,
            "recall": 0.33,
            "lift": 3.25,
            "cost": figure(81000, 78000, 84000),
        },
        "note": "",
    }
    return from_plain(Costs, content)


def make_slices(column: str = "SEX", value: str = "2") -> Slices:
    metrics = {
        "auc": figure(0.771, 0.742, 0.801),
        "f1": figure(0.55, 0.51, 0.59),
        "average_precision": figure(0.56, 0.5, 0.61),
        "base_rate": figure(0.241, 0.22, 0.262),
        "selection_rate": figure(0.287, 0.26, 0.31),
        "recall": figure(0.612, 0.57, 0.654),
        "false_positive_rate": figure(0.183, 0.16, 0.205),
        "ece": figure(0.031, 0.02, 0.045),
    }
    no_gap = {metric: figure(0.01, -0.02, 0.04, flagged=False) for metric in metrics}
    content = {
        "columns": [column, "REGION"],
        "comparisons": 10,
        "slices": [
            {
                "column": column,
                "value": value,
                "rows": 1200,
                "positives": 290,
                "sensitive": True,
                "small": False,
                "metrics": metrics,
                "gaps": no_gap | {"recall": figure(-0.083, -0.121, -0.045, flagged=True)},
            },
            {
                "column": "REGION",
                "value": "north",
                "rows": 12,
                "positives": 2,
                "sensitive": False,
                "small": True,
                "metrics": metrics | {"auc": None},
                "gaps": {},
            },
        ],
    }
    return from_plain(Slices, content)


def make_explanation(column: str = "PAY_0", value: str = "private") -> dict[str, Any]:
    names = [column, *(f"BILL_AMT{number}" for number in range(1, 21))]
    points = [
        {
            "value": number,
            "probability": 0.1 + 0.05 * number,
            "low": 0.08,
            "high": 0.12 + 0.06 * number,
            "share": 0.2,
        }
        for number in range(5)
    ]
    levels = [
        {"value": value, "probability": 0.31, "low": 0.28, "high": 0.34, "share": 0.4},
        {"value": None, "probability": 0.21, "low": 0.18, "high": 0.24, "share": 0.6},
    ]
    return {
        "metric": "auc",
        "rows": 1000,
        "importance": [
            {"column": name, **figure(0.08 / number, 0.06 / number - 0.004, 0.1 / number)}
            for number, name in enumerate(names, start=1)
        ],
        "effects": [
            {"column": column, "kind": "number", "points": points},
            {"column": "JOB", "kind": "category", "points": levels},
        ],
        "reference": {column: 0, "JOB": value},
        "examples": [
            {
                "probability": 0.8123,
                "decision": True,
                "reasons": [
                    {"column": column, "value": 2, "effect": 0.912},
                    {"column": "JOB", "value": value, "effect": -0.1},
                ],
            }
        ],
    }


def make_decision(promoted: bool = True) -> GateDecision:
    text = f"auc 0.8001 is {'at least' if promoted else 'below'} 0.75"
    checks = [
        Check("bound auc", promoted, text, value=0.8001, limit=0.75, rows=300),
        Check("champion", True, "auc is 0.0102 above version 2 (0.0041 to 0.0163)"),
        Check("slice SEX=2", True, "auc 0.771 is at least 0.7"),
    ]
    return GateDecision(promoted, "champion" if promoted else "challenger", text, 3, 2, checks)


def make_contract(sentence: str = "EDUCATION in set [1, 2, 3, 4]", where: str = "contract") -> ContractResult:
    def result(text: str, policy: str, rows: int, share: float) -> ExpectationResult:
        return ExpectationResult("", [], {}, policy, where, text, not rows, True, rows, share, [], "", None)

    expectations = [result("ID is unique", "stop", 0, 0.0), result(sentence, "warn", 345, 0.0115)]
    return ContractResult(where, True, 30000, 17, 0.05, [], [], expectations)


def make_columns(name: str = "JOB", note: str = "codes: whole numbers with leading zeros") -> Columns:
    columns = [
        Column("default", "whole number", "target", 0, 0.0, 2, UNUSED, why_not="the target"),
        Column("LIMIT_BAL", "number", "numeric", 18, 0.012, 1021, NUMBER),
        Column(name, "text", "feature", 0, 0.0, 11, CATEGORY, notes=[note]),
        Column(
            "signed", "date", "time", 0, 0.0, 700, DATE, ["signed_month"], "it orders rows (dataset.time)"
        ),
        Column(
            "AGE", "whole number", "sensitive", 0, 0.0, 55, UNUSED, why_not="declared in dataset.sensitive"
        ),
        Column("signed_month", "whole number", "derived", 0, 0.0, 12, NUMBER),
    ]
    return Columns(1500, columns)


def make_evidence(**changes: Any) -> Evidence:
    """A whole run's evidence; `changes` replace parts of it."""
    scores = make_scores()
    declared = Vertical.model_validate(
        {
            "about": ABOUT.model_dump(),
            "dataset": {"target": "default", "positive": 1},
            "training": {"epochs": 40},
        }
    )
    parts: dict[str, Any] = {
        "about": ABOUT,
        "ingestion": IngestionRecord(
            rows=1500,
            columns={"LIMIT_BAL": "int64", "default": "int64"},
            files=["clients.csv.gz"],
            reading=Reading(
                files=[ReadFile("clients.csv.gz", 1508, 8)],
                skipped=[SkippedFile("clients (1).csv", "empty")],
                records=1508,
                set_apart=8,
                reasons={"short records": 8},
                examples=[BrokenRecord("clients.csv.gz", 17, "short records", "1;2")],
            ),
            base_rate=0.25,
            sha256="a1" * 32,
        ),
        "contracts": [make_contract()],
        "features": FeatureReport(0, 0.95, "stop", "warn", [], []),
        "split": pd.DataFrame(
            {"part": ["train"] * 900 + ["validation"] * 300 + ["test"] * 300, "label": [1, 0, 0, 0] * 375}
        ),
        "scores": scores,
        "metrics": replace(evaluate(scores, Evaluation(resamples=100)), threshold_rule="cost"),
        "history": pd.DataFrame(
            {
                "network": [1, 1, 1, 2, 2],
                "epoch": [1, 2, 3, 1, 2],
                "train_loss": [0.6, 0.5, 0.45, 0.61, 0.52],
                "validation_log_loss": [0.6, 0.55, 0.56, np.nan, np.nan],
                "validation_auc": [0.7, 0.75, 0.76, np.nan, np.nan],
            }
        ),
        "registration": Registration(
            "finance", 3, "models:/m-1", "5f" * 16, "c3" * 32, "cpu", boosting_weight=0.4, plan="folds"
        ),
        "decision": make_decision(),
        "lineage": Lineage(
            "5f" * 16,
            "2026-11-22T08:52:20+00:00",
            tags={
                "git.commit": "8f" * 20,
                "git.dirty": "true",
                "seed": "7",
                "configuration.sha256": "b2" * 32,
            },
            parameters=declared.model_dump(),
            packages={"torch": "2.13.0", "numpy": "2.4.6", "rich": "15.0"},
        ),
        "copies": make_copies(),
        "costs": make_costs(),
        "slices": make_slices(),
        "explanation": make_explanation(),
        "drift": make_drift(),
        "columns": make_columns(),
    }
    return Evidence(**(parts | changes))
