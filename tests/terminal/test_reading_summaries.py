"""Scoring and monitoring say of reading their files what a training does."""

from lepton_pipeline.terminal.monitoring import monitoring_markdown, print_monitoring
from lepton_pipeline.terminal.scoring import print_scoring, scoring_markdown

READING = {
    "files": [{"name": "new.csv", "rows": 52, "set_apart": 2}],
    "skipped": [{"name": "new.csv.bak", "why": "a backup"}],
    "records": 52,
    "set_apart": 2,
    "reasons": {"long records": 2},
    "examples": [{"file": "new.csv", "line": 9, "reason": "long records", "text": "1,2,3"}],
    "notes": {"zip": ["codes: whole numbers with leading zeros"]},
}
ROWS = "52 in files, 2 set apart (2 long records, e.g. new.csv line 9), 50 in, 1 quarantined"
NOTE = "zip: codes: whole numbers with leading zeros"


def printed(capsys):
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_scoring_shows_files_rows_and_notes(capsys):
    contract = {"rows": 50, "quarantined": 1, "warnings": ["AGE is odd"], "left_out": [], "reading": READING}
    print_scoring("shop_scoring", {"scoring_contract": contract}, {"check_input": 0.5}, "make ui")
    lines = printed(capsys)
    for line in ("read new.csv 52 rows", "skipped new.csv.bak: a backup", f"rows {ROWS}", f"note {NOTE}"):
        assert line in lines
    assert f"- **rows**: {ROWS}" in scoring_markdown({"scoring_contract": contract})


def test_a_scoring_without_a_record_of_reading_counts_rows(capsys):
    contract = {"rows": 50, "quarantined": 1, "warnings": [], "left_out": []}
    print_scoring("shop_scoring", {"scoring_contract": contract}, {"check_input": 0.5}, "make ui")
    assert "rows 50 in, 1 quarantined" in printed(capsys)


def test_a_monitoring_shows_files_rows_and_notes_of_each_table(capsys):
    results = {
        "monitoring.ingestion_record": {"reading": READING},
        "monitoring.contract_result": {"rows": 50, "quarantined": 1},
        "readings": {"lines": READING},
    }
    print_monitoring("shop_monitoring", results, {"score_new_rows": 0.5}, "make ui")
    lines = printed(capsys)
    for line in (f"rows {ROWS}", f"note {NOTE}", "read lines: new.csv 52 rows", f"note lines: {NOTE}"):
        assert line in lines
    assert "- **note**: " + NOTE in monitoring_markdown(results)
    assert monitoring_markdown({}) == ""
