from dataclasses import replace

import pandas as pd

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import BrokenRecord, IngestionRecord, ReadFile, Reading
from lepton_pipeline.evaluation.costs import Costs, Curve
from lepton_pipeline.evaluation.decision import GateDecision
from lepton_pipeline.evaluation.slices import Gap, Slice, Slices
from lepton_pipeline.features.column_record import NUMBER, UNUSED, Column, Columns
from lepton_pipeline.features.report import FeatureReport, Finding
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.statistics.estimates import Estimate, Evidence, Metrics, Rows
from lepton_pipeline.terminal.training import print_summary, summary_markdown

FIGURE = {"value": 0.8, "low": 0.7, "high": 0.9}
AUC = Estimate(**FIGURE)


def gap(value, low, high):
    return Gap(value, low, high, flagged=True)


def a_slice(column, value, **gaps):
    return Slice(column, value, 100, 30, sensitive=False, small=False, metrics={}, gaps=gaps)


NOTE = "text in 4 of 1,200 rows: '1.959,36' (row 17)"
READING = Reading(
    files=[ReadFile("sales.csv", 1208, 8)],
    skipped=[],
    records=1208,
    set_apart=8,
    reasons={"short records": 8},
    examples=[BrokenRecord("sales.csv", 17, "short records", "1;2")],
    notes={"age": [NOTE]},
)
INGESTION = IngestionRecord(1200, {}, "", 0.5, reading=READING)
COLUMNS = [
    Column("age", "number", "feature", 0, 0.0, 500, NUMBER, notes=[NOTE]),
    Column("rv", "number", "feature", 5, 0.004, 1190, UNUSED, why_not="pure noise (leaks.on_noise: drop)"),
]
RESULTS = {
    "ingestion_record": INGESTION,
    "columns": Columns(1197, COLUMNS),
    "contract_result": ContractResult("contract", True, 1200, 3, 0.05, [], ["AGE is odd"], []),
    "split": pd.DataFrame({"part": ["train"] * 5 + ["validation"] * 2 + ["test"]}),
    "feature_report": FeatureReport(
        *(1000, 0.95, "warn", "drop", []),
        findings=[
            Finding("rv", "pure noise", "noise", "AUC 0.5", ""),
            Finding("delay", "an id", "leak", "distinct", "Name it."),
        ],
    ),
    "tables": {"lines": ContractResult("tables.lines", True, 9000, 2, 0.05, [], ["Price below 0"], [])},
    "about": {"caution": "synthetic data"},
    "metrics": Metrics(
        threshold=0.25,
        thresholds={},
        threshold_rule="cost",
        rows={"validation": Rows(900, 250), "test": Rows(240, 66)},
        resamples=100,
        uncalibrated={"ece": 0.03125},
        test={
            "model": {"auc": AUC, "f1": AUC, "ece": Estimate(0.0125)},
            "network": {"auc": AUC, "f1": AUC},
        },
    ),
    "copies": {
        "rows": 1200,
        "test_rows": 240,
        "strategy": "stratified",
        "auc": FIGURE,
        "copies": {
            "rows": 24,
            "by_chance": 0,
            "ignored": [],
            "repeated": 90,
            "without": {"rows": 216, "positives": 50, "auc": FIGURE},
            "decide": False,
        },
        "entities": [],
    },
    "costs": Costs(
        declared=True,
        unit="EUR",
        threshold=0.25,
        what_if=[],
        policies={"model": Estimate(1234.5), "all": Estimate(5000.0), "none": Estimate(3000.0)},
        saving={"none": Estimate(1765.5, 1500.0, 2000.4), "all": Estimate(3765.5)},
        curve=Curve(),
        capacity=None,
        note="",
    ),
    "slices": Slices(
        slices=[
            a_slice("sex", "f", auc=gap(-0.02, -0.03, -0.01), recall=gap(0.1, 0.05, 0.15)),
            a_slice("sex", "m", auc=gap(0.02, 0.01, 0.03), recall=gap(-0.1, -0.15, -0.05)),
            a_slice("city", "[/b]", auc=gap(-0.3, -0.4, -0.2)),
            a_slice("city", "Rome", auc=Gap(-0.5, -1, 0.1)),
        ]
    ),
    "registration": Registration("shop", 4, "", "", "", "cpu", boosting_weight=1.0, plan="refit"),
    "decision": GateDecision(False, "challenger", "auc 0.8 is below 0.9", 4),
}


def test_the_summary_names_what_a_reader_looks_for(capsys):
    print_summary("shop", RESULTS, {"ingest_table": 1.25, "evaluate": 0.5}, "make ui")
    printed = capsys.readouterr().out
    for text in (
        "shop: version 4, alias challenger",
        "0.8000  [0.7000, 0.9000]",
        "1,200 in, 3 quarantined",
        "5 for training, 2 for validation, 1 for the test",
        "AGE is odd",
        "read         sales.csv 1,208 rows",
        "rows         1,208 in files, 8 set apart (8 short records, e.g. sales.csv line 17), 1,200 in, 3 quarantined",
        "rv           number feature 0.4% 1,190 not used: pure noise (leaks.on_noise: drop)",
        "age          number feature 500 number",
        "note         age: text in 4 of 1,200 rows: '1.959,36' (row 17)",
        "warning      delay: an id: distinct",
        "raw table    lines: 9,000 in, 2 quarantined",
        "lines: Price below 0",
        "caution      synthetic data",
        "network alone",
        "copies       24 of 240 test rows (10.0%) equal a training or validation row in every column, target included;",
        "without them 0.8000 [0.7000, 0.9000] on 216 rows; leave every row once in the data",
        "error 0.0312 before, 0.0125 after",
        "0.250 (least cost on the validation rows)",
        "1,234 EUR for 1,000 cases; 3,000 if none is acted on, 5,000 if all are;",
        "saves 1,766 [1,500, 2,000] against the better",
        "city = [/b]: auc -0.300 [-0.400, -0.200] against all others;",
        "recall +0.100 [+0.050, +0.150] against all others; 1 more in slices.json",
        "model        Boosting alone; model and baselines learn from training rows, are tuned on validation rows, then",
        "refused: auc 0.8 is below 0.9",
        "1.8, the longest: ingest_table 1.2, evaluate 0.5",
        "make ui",
    ):
        assert " ".join(text.split()) in " ".join(printed.split())


def test_the_same_model_again_has_no_alias(capsys):
    decision = GateDecision(None, "", "nothing changes", 5)
    print_summary("shop", {"decision": decision}, {}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert "shop: version 5, same as champion" in printed
    assert "gate same as champion: nothing changes" in printed


def test_what_costs_nothing_and_differs_nowhere_is_not_told(capsys):
    found = {
        **RESULTS,
        "metrics": replace(RESULTS["metrics"], threshold_rule="f1"),
        "costs": replace(RESULTS["costs"], declared=False),
        "slices": Slices(slices=RESULTS["slices"].slices[3:]),
    }
    print_summary("shop", found, {"evaluate": 0.5}, "make ui")
    printed = capsys.readouterr().out
    assert "0.250 (best F1 on the validation rows)" in printed
    assert "cost " not in printed
    assert "slices" not in printed


def test_few_cases_are_warned_of_and_too_few_have_no_interval(capsys):
    few = replace(
        RESULTS["metrics"],
        rows={"validation": Rows(40, 12), "test": Rows(40, 12)},
        evidence=Evidence(12, 40, "row"),
        test={"model": {"auc": replace(AUC, approximate=True), "f1": Estimate(0.5), "ece": Estimate(0.0125)}},
    )
    print_summary("shop", {"metrics": few}, {"evaluate": 0.5}, "make ui")
    printed = " ".join(capsys.readouterr().out.split())
    assert "0.8000 ≈[0.7000, 0.9000] 0.5000 [cannot be judged]" in printed
    assert "warning intervals are approximate (≈): 12 test rows of the rarer class, below 50" in printed
    assert "warning the threshold was chosen on 12 held-out positive rows, below 100" in printed


def test_a_partial_run_shows_what_there_is(capsys):
    print_summary("shop", {}, {"ingest_table": 1.0}, "make ui")
    printed = capsys.readouterr().out
    assert "shop: no model registered" in printed
    assert "AUC" not in printed


def test_the_same_facts_stand_at_the_head_of_the_run_page():
    text = summary_markdown(RESULTS)
    assert "| model&emsp; | 0.8000  [0.7000, 0.9000]&emsp; |" in text
    assert "- **columns**: 2: 1 number, 1 not used; not used: rv (pure noise (leaks.on_noise: drop))" in text
    assert "- **gate**: refused: auc 0.8 is below 0.9" in text


def test_a_run_that_stopped_before_the_columns_says_what_was_guessed(capsys):
    print_summary("shop", {"ingestion_record": INGESTION}, {"ingest_table": 1.0}, "make ui")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "rows 1,208 in files, 8 set apart (8 short records, e.g. sales.csv line 17), 1,200 in" in lines
    assert f"note age: {NOTE}" in lines
