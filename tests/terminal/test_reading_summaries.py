"""Scoring and monitoring say of reading their files what a training does."""

from dataclasses import replace

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import BrokenRecord, IngestionRecord, ReadFile, Reading, SkippedFile
from lepton_pipeline.scoring.result import ScoringContract
from lepton_pipeline.terminal.monitoring import monitoring_markdown, print_monitoring
from lepton_pipeline.terminal.scoring import print_scoring, scoring_markdown

READING = Reading(
    files=[ReadFile("new.csv", 52, 2)],
    skipped=[SkippedFile("new.csv.bak", "a backup")],
    records=52,
    set_apart=2,
    reasons={"long records": 2},
    examples=[BrokenRecord("new.csv", 9, "long records", "1,2,3")],
    notes={"zip": ["codes: whole numbers with leading zeros"]},
)
CONTRACT = ContractResult("contract", True, 50, 1, 0.05, [], ["AGE is odd"], [])
SCORING = ScoringContract(
    **vars(CONTRACT), kinds={}, files=[], file_names="", sha256="", reasons={}, left_out=[], reading=READING
)
ROWS = "52 in files, 2 set apart (2 long records, e.g. new.csv line 9), 50 in, 1 quarantined"
NOTE = "zip: codes: whole numbers with leading zeros"


def printed(capsys):
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_scoring_shows_files_rows_and_notes(capsys):
    print_scoring("shop_scoring", {"scoring_contract": SCORING}, {"check_input": 0.5}, "make ui")
    lines = printed(capsys)
    for line in ("read new.csv 52 rows", "skipped new.csv.bak: a backup", f"rows {ROWS}", f"note {NOTE}"):
        assert line in lines
    assert f"- **rows**: {ROWS}" in scoring_markdown({"scoring_contract": SCORING})


def test_a_scoring_without_a_record_of_reading_counts_rows(capsys):
    contract = replace(SCORING, reading=None)
    print_scoring("shop_scoring", {"scoring_contract": contract}, {"check_input": 0.5}, "make ui")
    assert "rows 50 in, 1 quarantined" in printed(capsys)


def test_a_monitoring_shows_files_rows_and_notes_of_each_table(capsys):
    results = {
        "monitoring.ingestion_record": IngestionRecord(50, {}, "", None, reading=READING),
        "monitoring.contract_result": CONTRACT,
        "readings": {"lines": READING},
    }
    print_monitoring("shop_monitoring", results, {"score_new_rows": 0.5}, "make ui")
    lines = printed(capsys)
    for line in (f"rows {ROWS}", f"note {NOTE}", "read lines: new.csv 52 rows", f"note lines: {NOTE}"):
        assert line in lines
    assert "- **note**: " + NOTE in monitoring_markdown(results)
    assert monitoring_markdown({}) == ""
