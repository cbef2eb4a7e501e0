import pandas as pd

from lepton_pipeline.summary import print_summary, summary_markdown

FIGURE = {"value": 0.8, "low": 0.7, "high": 0.9}
RESULTS = {
    "contract_result": {"rows": 1200, "quarantined": 3, "warnings": ["AGE is odd"]},
    "split": pd.DataFrame({"part": ["train"] * 5 + ["validation"] * 2 + ["test"]}),
    "feature_report": {
        "on_noise": "drop",
        "findings": [
            {"feature": "rv", "finding": "pure noise", "evidence": "AUC 0.5", "severity": "noise"},
            {"feature": "delay", "finding": "an id", "evidence": "distinct", "severity": "leak"},
        ],
    },
    "tables": {"lines": {"rows": 9000, "quarantined": 2, "warnings": ["Price below 0"]}},
    "about": {"caution": "synthetic data"},
    "metrics": {
        "threshold": 0.25,
        "uncalibrated": {"ece": 0.03125},
        "test": {
            "model": {"auc": FIGURE, "f1": FIGURE, "ece": {"value": 0.0125}},
            "network": {"auc": FIGURE, "f1": FIGURE},
        },
    },
    "decision": {"version": 4, "alias": "challenger", "promoted": False, "reason": "auc 0.8 is below 0.9"},
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
        "left out     rv: pure noise: AUC 0.5",
        "warning      delay: an id: distinct",
        "lines: 9,000 rows, 2 quarantined",
        "lines: Price below 0",
        "caution      synthetic data",
        "network alone",
        "error 0.0312 before, 0.0125 after",
        "0.250 (best F1 on the validation rows)",
        "refused: auc 0.8 is below 0.9",
        "1.8, the longest: ingest_table 1.2, evaluate 0.5",
        "make ui",
    ):
        assert text in printed


def test_a_partial_run_shows_what_there_is(capsys):
    print_summary("shop", {}, {"ingest_table": 1.0}, "make ui")
    printed = capsys.readouterr().out
    assert "shop: no model registered" in printed
    assert "AUC" not in printed


def test_the_same_facts_stand_at_the_head_of_the_run_page():
    text = summary_markdown(RESULTS)
    assert "| model&emsp; | 0.8000  [0.7000, 0.9000]&emsp; |" in text
    assert "- **gate**: refused: auc 0.8 is below 0.9" in text
