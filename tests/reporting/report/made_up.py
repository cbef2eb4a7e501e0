"""Evidence of a made-up run, in the shapes that the stages return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult, ExpectationResult
from lepton_pipeline.data.reading import BrokenRecord, IngestionRecord, ReadFile, Reading, SkippedFile
from lepton_pipeline.evaluation.costs import Capacity, Choice, Costs, Curve
from lepton_pipeline.evaluation.decision import Check, GateDecision
from lepton_pipeline.evaluation.distributions import Distribution, Distributions, Part
from lepton_pipeline.evaluation.doubts import DoubtedRow, Doubts
from lepton_pipeline.evaluation.drift import Drift, measure_drift
from lepton_pipeline.evaluation.explanation import Effect, Example, Explanation, Importance, Point
from lepton_pipeline.evaluation.measured_copies import MeasuredCopies, MeasuredEntity, MeasuredRows, Remaining
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.evaluation.scope import Coverage, Scope
from lepton_pipeline.evaluation.slices import Gap, Slice, SliceEstimate, Slices
from lepton_pipeline.features.column_record import CATEGORY, DATE, NUMBER, UNUSED, Column, Columns
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model.attribution import Reason
from lepton_pipeline.parameters import About, Dataset, Evaluation, Vertical
from lepton_pipeline.registry.registration import Composition, Registration
from lepton_pipeline.reporting.report.evidence import Evidence
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tracking.lineage import Lineage

ABOUT = About(
    question="Will a client default on next month's payment?",
    caution="Clients of one bank in 2005",
    intended_use="To rank clients for a call before payment is due.",
    out_of_scope="Deciding on credit.",
    limits="Younger clients are few.",
    licence="Source, CC BY 4.0",
)


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


def make_drift(column: str = "LIMIT_BAL", level: str = "new") -> Drift:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {"y": [0, 1] * 200, column: random.normal(size=400), "JOB": ["a", "b", "a", "c"] * 100}
    )
    split = pd.DataFrame({"part": ["train"] * 300 + ["test"] * 100})
    encoder = Encoder.fit(table.loc[:299], Dataset(target="y", positive=1))
    moved = table.assign(**{column: table[column] + 2 * (table.index >= 300)})
    return measure_drift(moved.assign(JOB=moved["JOB"].mask(moved.index >= 370, level)), split, encoder)


def make_doubts(**facing: Any) -> Doubts:
    """Twelve doubtful rows, of which ten are shown."""
    facing = facing or {"label": "negative", "decision": "positive", "probability": 0.9876}
    shown = [DoubtedRow(str(row), facing, 1 - row / 1000) for row in range(30, 40)]
    return Doubts(held_out=1200, doubtful=12, least_certain=100, shown=shown)


def make_scope(**changes: Any) -> Scope:
    """A model that hands over a tenth of the rows of its classes, and nine tenths of the others."""
    shares = {
        "accuracy": 0.94,
        "answered": 0.905,
        "right": 0.982,
        "caught": 0.895,
        "strangers": 0.676,
        "auc": 0.96,
    }
    figures = {name: Estimate(value, value - 0.01, value + 0.01) for name, value in shares.items()}
    curve = [
        Coverage(0.07, 1.0, 0.94, 0.02),
        Coverage(0.76, 0.9, 0.983, 0.901),
        Coverage(0.999, 0.5, 0.998, 0.991),
    ]
    return Scope(
        **{"inside": 4500, "outside": 1000, "threshold": 0.742, "figures": figures, "curve": curve} | changes
    )


def make_copies(**changes: Any) -> MeasuredCopies:
    """Copies that are no more than chance makes, and patients on both sides of the split."""
    without = Remaining(90, 30, Estimate(0.71, 0.62, 0.79))
    counts = {"rows": 12, "by_chance": 11, "repeated": 31} | changes
    copies = MeasuredRows(**counts, example=(4, 7), ignored=["ID"], share=0.04, without=without, decide=False)
    patients = MeasuredEntity("patient", False, 50, 50, 210, without)
    return MeasuredCopies(1500, 300, "stratified", copies, [patients], "auc", Estimate(0.84, 0.8, 0.88))


def make_costs(unit: str = "EUR") -> Costs:
    thresholds = np.linspace(0.05, 0.95, 19)
    curve = 50000 + 90000 * (thresholds - 0.3) ** 2
    own = Estimate(58765.4, 50000.0, 65000.0)
    return Costs(
        declared=True,
        unit=unit,
        threshold=0.3,
        what_if=[
            Choice(0.2, 410.2, 0.43, 0.81, Estimate(61234.5, 55000.1, 67000.2), chosen=False),
            Choice(0.3, 288.7, 0.567, 0.65, own, chosen=True),
        ],
        policies={
            "model": own,
            "all": Estimate(78000.0, 78000.0, 78000.0),
            "none": Estimate(110500.0, 110500.0, 110500.0),
            "hist_gradient_boosting": Estimate(58900.0, 50300.0, 65500.0),
        },
        saving={
            "all": Estimate(19234.6, 13000.0, 28000.0),
            "none": Estimate(51734.6, 45500.0, 60500.0),
            "hist_gradient_boosting": Estimate(134.6, -800.0, 1050.0),
        },
        curve=Curve(*(values.tolist() for values in (thresholds, curve, 0.9 * curve, 1.1 * curve))),
        capacity=Capacity(100, 0.61, 99.3, 0.72, 0.33, Estimate(81000.0, 78000.0, 84000.0), lift=3.25),
        note="",
    )


def make_slices(column: str = "SEX", value: str = "2") -> Slices:
    metrics = {
        "auc": SliceEstimate(0.771, 0.742, 0.801),
        "f1": SliceEstimate(0.55, 0.51, 0.59),
        "average_precision": SliceEstimate(0.56, 0.5, 0.61),
        "base_rate": SliceEstimate(0.241, 0.22, 0.262),
        "selection_rate": SliceEstimate(0.287, 0.26, 0.31),
        "recall": SliceEstimate(0.612, 0.57, 0.654),
        "false_positive_rate": SliceEstimate(0.183, 0.16, 0.205),
        "ece": SliceEstimate(0.031, 0.02, 0.045),
    }
    gaps = dict.fromkeys(metrics, Gap(0.01, -0.02, 0.04))
    gaps["recall"] = Gap(-0.083, -0.121, -0.045, flagged=True)
    large = Slice(column, value, 1200, 290, sensitive=True, small=False, metrics=metrics, gaps=gaps)
    rare = {**metrics, "auc": None}
    small = Slice("REGION", "north", 12, 2, sensitive=False, small=True, metrics=rare, gaps={})
    return Slices([column, "REGION"], 10, [large, small])


def make_explanation(column: str = "PAY_0", value: str = "private") -> Explanation:
    names = [column, *(f"BILL_AMT{number}" for number in range(1, 21))]
    points = [
        Point(number, 0.1 + 0.05 * number, 0.08, 0.12 + 0.06 * number, share=0.2) for number in range(5)
    ]
    levels = [Point(value, 0.31, 0.28, 0.34, share=0.4), Point("missing", 0.21, 0.18, 0.24, share=0.6)]
    reasons = [Reason(column, "2", 0.912), Reason("JOB", value, -0.1)]
    return Explanation(
        metric="auc",
        rows=1000,
        figure=0.8,
        permutations=5,
        importance=[
            Importance(name, 0.08 / number, 0.06 / number - 0.004, 0.1 / number)
            for number, name in enumerate(names, start=1)
        ],
        effects=[Effect(column, "number", points), Effect("JOB", "category", levels)],
        reference={column: "0", "JOB": value},
        examples=[Example("highest probability", {"probability": 0.8123, "decision": True}, reasons)],
    )


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


def make_distributions(column: str = "LIMIT_BAL", value: str = "north", number: int = 12) -> Distributions:
    mean = Estimate(0.25, 0.2, 0.3)
    balance = Distribution(column, 36, [0.0, 1e5, 2e5], [Part("", 800, mean), Part("", 364, mean)])
    regions = [
        Distribution(f"REGION_{place}", 0, [], [Part(value, 1195, mean), Part("(others)", 5, None)])
        for place in range(number - 1)
    ]
    return Distributions(1200, mean, [balance, *regions])


def measured(scores: pd.DataFrame, task: Any) -> Metrics:
    return evaluate(scores, Target(task), Evaluation(resamples=100))


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
        "ingestion_record": IngestionRecord(
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
        "feature_report": FeatureReport(0, 0.95, "stop", "warn", [], []),
        "split": pd.DataFrame(
            {"part": ["train"] * 900 + ["validation"] * 300 + ["test"] * 300, "label": [1, 0, 0, 0] * 375}
        ),
        "target": Target(Binary()),
        "scores": scores,
        "metrics": replace(measured(scores, Binary()), threshold_rule="cost"),
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
            "finance",
            3,
            "models:/m-1",
            "5f" * 16,
            "c3" * 32,
            "cpu",
            boosting_weight=0.4,
            plan="folds",
            composition=Composition(19, 1, 5, 4, 234567, 933, 13995, "temperature", 24000, 3_700_000, 5e-5),
        ),
        "decision": make_decision(),
        "lineage": Lineage(
            run_id="5f" * 16,
            started="2026-11-22T08:52:20+00:00",
            facts={
                "git.commit": "8f" * 20,
                "git.dirty": "true",
                "seed": "7",
                "configuration.sha256": "b2" * 32,
            },
            parameters=declared.model_dump(),
            packages={"torch": "2.13.0", "numpy": "2.4.6", "rich": "15.0"},
            training_seconds=12.34,
        ),
        "copies": make_copies(),
        "costs": make_costs(),
        "slices": make_slices(),
        "explanation": make_explanation(),
        "drift": make_drift(),
        "doubts": make_doubts(),
        "columns": make_columns(),
        "distributions": make_distributions(),
    }
    return Evidence(**(parts | changes))


PARTS = ["train"] * 600 + ["validation"] * 200 + ["test"] * 200
CULTIVARS = ("Barbera", "Barolo", "Grignolino")


def make_class_evidence(names: Sequence[str] = CULTIVARS, **changes: Any) -> Evidence:
    """A run on as many classes as names, the first the most frequent; the last is taken for the first most often."""
    random = np.random.default_rng(5)
    task, classes = Multiclass(names), len(names)
    shares = np.arange(classes, 0, -1) / np.arange(1, classes + 1).sum()
    labels = np.concatenate([np.arange(classes), random.choice(classes, len(PARTS) - classes, p=shares)])
    random.shuffle(labels)
    split = pd.DataFrame({"part": PARTS, "label": labels.astype(np.int16)})

    def score(skill: float) -> np.ndarray:
        logits = random.normal(size=(len(PARTS), classes)) + skill * np.eye(classes)[labels]
        logits[:, 0] += skill / 2 * (labels == classes - 1)
        weights = np.exp(logits)
        return weights / weights.sum(axis=1, keepdims=True)

    columns = {"part": split["part"], "label": split["label"]}
    for model, skill in (("model", 3.0), ("logistic_regression", 2.0), ("hist_gradient_boosting", 2.5)):
        columns |= task.columns(model, score(skill))
    scores = pd.DataFrame(columns)[split["part"] != "train"]
    metrics = measured(scores, task)
    figures = {
        name: SliceEstimate(**vars(metrics.model[name])) for name in ("accuracy", "log_loss", "macro_f1")
    }
    gaps = {"accuracy": Gap(-0.12, -0.2, -0.04, flagged=True), "log_loss": Gap(0.3, -0.1, 0.7)}
    reasons = [Reason("alcohol", "13.2", 1.25)]
    effects = [
        Effect("alcohol", "number", [Point(at, at / 20, 0.0, 0.9, share=0.5) for at in (12, 14)], names[1]),
        Effect("sweet", "category", [Point("yes", 0.4, 0.3, 0.5, share=1.0)], names[0]),
    ]
    parts: dict[str, Any] = {
        "doubts": make_doubts(
            label=names[0], likeliest=names[1], probability=0.8764, probability_of_label=0.0123
        ),
        "target": Target(task, {name: int((labels == place).sum()) for place, name in enumerate(names)}),
        "ingestion_record": IngestionRecord(1000, {"alcohol": "float64", "cultivar": "str"}, "a1" * 32, None),
        "split": split,
        "scores": scores,
        "metrics": metrics,
        "history": history(task),
        "slices": Slices(
            ["sweet"], 2, [Slice("sweet", "yes", 90, None, False, False, metrics=figures, gaps=gaps)]
        ),
        "explanation": Explanation(
            "log_loss",
            200,
            metrics.model["log_loss"].value,
            5,
            [Importance("alcohol", 0.4321, 0.4, 0.5), Importance("sweet", 0.01, -0.01, 0.03)],
            effects,
            {"alcohol": "13"},
            [Example("least certain", {"decision": names[1], "probability": 0.4567}, reasons)],
        ),
        "copies": None,
        "costs": Costs(),
    }
    return make_evidence(**(parts | changes))


def make_error_evidence(*, log: bool = False, quantiles: bool = False, **changes: Any) -> Evidence:
    """A run that predicts prices of some 100,000."""
    random = np.random.default_rng(6)
    task = Regression(transform="log" if log else None, quantiles=quantiles)
    labels = np.exp(random.normal(11.5, 0.4, len(PARTS)))
    split = pd.DataFrame({"part": PARTS, "label": labels})
    predicted = labels * np.exp(random.normal(0, 0.2, len(PARTS)))
    columns = {
        **split,
        **task.columns("model", np.column_stack([predicted, 0.7 * predicted, 1.4 * predicted])),
        "ridge_regression": labels * np.exp(random.normal(0, 0.3, len(PARTS))),
    }
    scores = pd.DataFrame(columns)[split["part"] != "train"]
    metrics = measured(scores, task)
    figures = {
        name: SliceEstimate(**vars(metrics.model[name])) for name in ("mae", "bias", "rmse", "coverage")
    }
    gaps = {"mae": Gap(12345.678, 1234.5, 23456.7, flagged=True)}
    parts: dict[str, Any] = {
        "doubts": make_doubts(label=98765.4, prediction=123456.7, low=100000.4, high=150000.2),
        "target": Target(task),
        "ingestion_record": IngestionRecord(1000, {"area": "float64", "price": "float64"}, "a1" * 32, None),
        "split": split,
        "scores": scores,
        "metrics": metrics,
        "history": history(task),
        "slices": Slices(
            ["town"], 1, [Slice("town", "Graz", 90, None, False, False, metrics=figures, gaps=gaps)]
        ),
        "explanation": Explanation(
            "mae",
            200,
            metrics.model["mae"].value,
            5,
            [Importance("area", 12345.678, 10000.1, 15000.2), Importance("town", 0.01234, -0.01, 0.03)],
            [
                Effect(
                    "area",
                    "number",
                    [Point(at, 1000.0 * at, 900.0 * at, 1100.0 * at, 0.5) for at in (90, 99)],
                ),
                Effect("town", "category", [Point("Graz", 98765.4, 90000.0, 99999.0, share=1.0)]),
            ],
            {"area": "95"},
            [
                Example(
                    "largest error",
                    {"prediction": 123456.7, "low": 100000.4, "high": 150000.2},
                    [Reason("area", "99", -2345.678)],
                )
            ],
        ),
        "copies": None,
        "costs": Costs(),
    }
    return make_evidence(**(parts | changes))


def history(task: Any) -> pd.DataFrame:
    """Two epochs of one network."""
    curves = {f"validation_{name}": [0.6, 0.5] for name in task.curves}
    return pd.DataFrame({"network": [1, 1], "epoch": [1, 2], "train_loss": [0.7, 0.4], **curves})
