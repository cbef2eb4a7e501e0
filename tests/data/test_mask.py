from __future__ import annotations

import time

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_pipeline.data.ingest import ingest_table, read_table
from lepton_pipeline.data.mask import Masker
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Mask

ALL = Masker(Mask(columns=["note"]))
NAMED = Masker(Mask(columns=["note"], patterns={"NAME": r"\b(?:Jane|Doe)\b", "CUSTOMER": r"KD-\d{8}"}))
PIECES = [
    *("4111111111111111", "4111 1111 1111 1111", "12345678", "030 1234567", "+49", "DE89370400440532013000"),
    *(
        "jane@x.co",
        "2024-01-31",
        "20240131",
        "[EMAIL]",
        "[NAME]",
        "12",
        "0",
        "x",
        "Rs",
        "$",
        ".",
        ",",
        " ",
        "-",
    ),
    *(
        "/",
        "(",
        ")",
        "+",
        "@",
        "_",
        "[",
        "]",
        "é",
        "e\u0301",
        "电",
        "１２",
        "\u0301",
        "Jane",
        "😀",
        "\ufdd0",
        "\ud800",
        "\0",
    ),
]


def test_every_kind_has_its_token():
    text = "jane@x.co, DE89 3704 0044 0532 0130 00, 4111 1111 1111 1111, 030 1234567, 12345678: Rs 10.4 crore in 2024"
    assert ALL.text(text) == "[EMAIL], [IBAN], [CARD], [PHONE], [ACCOUNT]: Rs 10.4 crore in 2024"
    only = Masker(Mask(columns=["note"], kinds=["email"]))
    assert only.text(text) == text.replace("jane@x.co", "[EMAIL]")


def test_declared_patterns_come_before_the_loose_kinds_and_after_the_strict_ones():
    assert NAMED.text("Jane (KD-12345678) of jane.doe@x.co") == "[NAME] ([CUSTOMER]) of [EMAIL]"
    assert NAMED.text("Janet") == "Janet"
    # What stood in the way is gone.
    assert (
        Masker(Mask(columns=["n"], kinds=["card"], patterns={"UNIT": "x"})).text("4111111111111111x")
        == "[CARD][UNIT]"
    )


def test_what_is_no_hit_stays_as_it_is():
    for text in ("", " plain ", "Zürich 😀", "[EMAIL] was here", "line\nbreak"):
        assert NAMED.text(text) == text
    assert NAMED.text("Zu\u0308rich") == "Zürich"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join))
def test_masking_twice_is_masking_once(text):
    for masker in (ALL, NAMED):
        once = masker.text(text)
        assert masker.text(once) == once


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "1",
        "1 ",
        "12-",
        "12345678.",
        "a.",
        "@a",
        "DE12 ",
        "4111 ",
        "1234 ",
        "x@a.b ",
        "(",
        "+1",
        "2024-01-31 ",
        "é",
        "😀",
    ],
)
def test_long_values_take_time_in_proportion(part):
    """Four times the text takes about four times as long; were it the square, it would be 16 times."""

    def seconds(size: int) -> float:
        text, begun = part * (size // len(part)), time.perf_counter()
        ALL.text(text)
        return time.perf_counter() - begun

    short = min(seconds(50_000) for _ in range(3))
    assert seconds(200_000) < 9 * short + 0.1


def test_columns_of_any_arrow_type_of_text_are_masked_and_counted():
    texts = ["jane@x.co", None, "jane@x.co 4711", "", "NA"]
    masked = ["[EMAIL]", None, "[EMAIL] 4711", "", "NA"]
    types = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
    for kind in types:
        counts: dict = {}
        column = pa.chunked_array([pa.array(texts[:2], pa.string()), pa.array(texts[2:], pa.string())]).cast(
            kind
        )
        block = ALL.block(pa.table({"note": column, "other": texts}), Ingestion(), counts)
        assert block["note"].to_pylist() == masked
        assert block["other"].to_pylist() == texts
        assert {name: dict(hits) for name, hits in counts.items()} == {"note": {"EMAIL": 2}}


def test_missing_codes_stay_missing_even_if_they_look_like_accounts():
    masker = Masker.of(Ingestion(missing=["99999999"], mask=Mask(columns=["note"])))
    assert masker is not None
    assert masker.texts([" 99999999", "88888888"]) == [" 99999999", "[ACCOUNT]"]


def test_values_of_clients_are_masked_and_missing_ones_stay():
    sent = pd.Series(["jane@x.co", None, float("nan"), pd.NA], name="note", dtype=object)
    assert ALL.series(sent).tolist()[:2] == ["[EMAIL]", None]
    assert ALL.series(sent).isna().tolist() == [False, True, True, True]
    plain = pd.Series(["a", "b"], name="note")
    assert ALL.series(plain) is plain
    with pytest.raises(DataError, match=r"column 'note' is masked .* no text \(int\)") as refused:
        ALL.series(pd.Series(["a", 4111111111111111], name="note", dtype=object))
    assert "4111" not in str(refused.value)


def ingested(raw, mask, **ingestion):
    declared = Ingestion(mask=mask, **ingestion)
    return ingest_table(
        [raw], Dataset(target="y", positive=1), declared, Contract(max_quarantined=0.5), Features()
    )


def test_ingestion_masks_and_says_how_often(raw_file):
    lines = ["note,y,other", *["jane@x.co and bob@y.co,1,a@b.de", "call 030 1234567,0,", "NA,1,x"] * 10]
    table, record = ingested(raw_file("\n".join(lines)), Mask(columns=["note"]))
    frame = table.frame()
    assert frame["note"].tolist()[:2] == ["[EMAIL] and [EMAIL]", "call [PHONE]"]
    assert frame["note"].isna().sum() == 10
    assert frame["other"].tolist()[0] == "a@b.de"
    assert record.reading.notes["note"] == ["masked: 20 [EMAIL], 10 [PHONE]"]
    _, nothing = ingested(raw_file("\n".join(lines)), Mask(columns=["other"], kinds=["card"]))
    assert nothing.reading.notes["other"] == ["masked: nothing"]


def test_broken_records_and_messages_are_masked_whole(raw_file):
    lines = ["note,y", *["jane@x.co,1", "plain,0"] * 10, "jane@x.co,DE89370400440532013000,4111111111111111"]
    _, record = ingested(raw_file("\n".join(lines)), Mask(columns=["note"]))
    assert [each.text for each in record.reading.examples] == ["[EMAIL],[IBAN],[CARD]"]
    broken = raw_file('{"note": "a", "y": 1}\n{"jane@x.co"\n', "12345678.jsonl")
    with pytest.raises(DataError, match=r"12345678.jsonl, line 2: \{\"\[EMAIL\]\" is not JSON") as refused:
        ingested(broken, Mask(columns=["note"]))
    assert refused.value.__cause__ is None


def test_a_masked_column_that_is_absent_or_a_number_is_refused(raw_file, tmp_path):
    rows = raw_file("note,y\n12,1\n13,0\n")
    with pytest.raises(
        DataError, match=r"no column 'notes', which ingestion.mask.columns declares; did you mean 'note'"
    ):
        ingested(rows, Mask(columns=["notes"]))
    with pytest.raises(DataError, match=r"column 'note' is masked .* numbers only"):
        ingested(rows, Mask(columns=["note"]))
    pd.DataFrame({"note": [1.5, None], "y": [0, 1]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"column 'note' is masked .* no text \(double\)"):
        ingested(raw_file((tmp_path / "t.parquet").read_bytes(), "t.parquet"), Mask(columns=["note"]))
    pd.DataFrame({"note": pd.Series([None, None], dtype=float), "y": [0, 1]}).to_parquet(
        tmp_path / "t.parquet"
    )
    table, _ = ingested(raw_file((tmp_path / "t.parquet").read_bytes(), "t.parquet"), Mask(columns=["note"]))
    assert table.frame()["note"].isna().all()


def test_of_several_raw_tables_each_has_its_own_columns(raw_file):
    mask = Mask(columns={"calls": ["note"], "people": ["name"]}, patterns={"NAME": "Jane"})
    ingestion = Ingestion(mask=mask)

    def read(name: str, text: str) -> pd.DataFrame:
        table, _ = read_table([raw_file(text)], ingestion, Contract(), name)
        return table.frame()

    assert read("calls", "note,name\nto jane@x.co,Jane\n")["note"].tolist() == ["to [EMAIL]"]
    assert read("calls", "note,name\nto jane@x.co,Jane\n")["name"].tolist() == ["Jane"]
    assert read("people", "note,name\njane@x.co,Jane\n")["name"].tolist() == ["[NAME]"]
    assert read("bills", "note\njane@x.co\n")["note"].tolist() == ["jane@x.co"]
    with pytest.raises(DataError, match=r"no column 'name', which ingestion.mask.columns.people declares"):
        read("people", "note\njane@x.co\n")
