from dataclasses import replace

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import BrokenRecord, ReadFile, Reading, SkippedFile
from lepton_pipeline.reporting.report.reading import note_facts, reading_facts, shorten

READING = Reading(
    files=[ReadFile("jan.csv", 600, 8), ReadFile("FEB.CSV", 300, 0)],
    skipped=[],
    records=900,
    set_apart=8,
    reasons={"short records": 8},
    examples=[BrokenRecord("jan.csv", 17, "short records", "1,2")],
)


def counted(rows, quarantined):
    return ContractResult("contract", True, rows, quarantined, 0.05, [], [], [])


def test_rows_in_files_are_rows_set_apart_and_rows_in():
    assert reading_facts(READING, counted(892, 12)) == [
        ("read", "jan.csv 600 rows, FEB.CSV 300 rows"),
        ("rows", "900 in files, 8 set apart (8 short records, e.g. jan.csv line 17), 892 in, 12 quarantined"),
    ]


def test_a_contract_that_was_not_reached_is_not_needed():
    (_, (label, text)) = reading_facts(replace(READING, set_apart=0, reasons={}, examples=[]), None)
    assert (label, text) == ("rows", "900 in files, 0 set apart, 900 in")


def test_rows_that_were_not_known_yet_are_counted():
    _, rows = reading_facts(READING, counted(800, 0))
    assert "892" not in rows[1]
    assert rows[1].endswith("92 left out (later than dataset.as_of), 800 in, 0 quarantined")


def test_many_files_are_folded_and_what_was_skipped_says_why():
    files = [ReadFile(f"{number}.csv", 1, 0) for number in range(40)]
    skipped = [SkippedFile(f"part-{number}", "empty") for number in range(9)] + [
        SkippedFile("~a.csv", "a backup")
    ]
    facts = reading_facts(replace(READING, files=files, skipped=skipped), None, "lines")
    assert facts[:3] == [
        ("read", "lines: 0.csv 1 row, 1.csv 1 row, 2.csv 1 row and 37 more files"),
        ("skipped", "lines: part-0, part-1, part-2 and 6 more files: empty"),
        ("skipped", "lines: ~a.csv: a backup"),
    ]
    assert facts[3][0] == "raw table"


def test_without_a_record_there_is_what_the_contract_counted_or_nothing():
    assert reading_facts(None, counted(9000, 2), "lines") == [("raw table", "lines: 9,000 in, 2 quarantined")]
    assert reading_facts(None, None) == []


def test_the_same_note_is_said_once():
    notes = {"zip": ["codes", "short"], "phone": ["codes"]}
    assert note_facts(notes) == [("note", "zip, phone: codes"), ("note", "zip: short")]


def test_one_name_is_not_replaced_by_a_number():
    assert shorten(["a", "b", "c"], 2) == "a, b, c"
    assert shorten(["a", "b", "c", "d"], 2) == "a, b and 2 more"
