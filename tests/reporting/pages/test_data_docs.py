import re
from datetime import UTC, datetime

import pandas as pd

from lepton_pipeline.data.contracts.contract import check_contract
from lepton_pipeline.parameters import Contract, Dataset, Features
from lepton_pipeline.reporting.pages.data_docs import DataDocsDataset, render_contract

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
BETWEEN = {
    "expect": "column_values_to_be_between",
    "column": "AGE",
    "min_value": 18,
    "on_failure": "quarantine",
}
MEAN = {"expect": "column_mean_to_be_between", "column": "<i>SEX", "min_value": 1, "on_failure": "warn"}
ABSENT = {"expect": "column_values_to_be_unique", "column": "ID"}


def checked(*expectations):
    table = pd.DataFrame(
        {"AGE": [20, 17, 30, 40], "<i>SEX": list("fmfm"), "default": [0, 1, 0, 1]}, index=range(100, 104)
    )
    contract = Contract.model_validate({"max_quarantined": 0.5, "expectations": list(expectations)})
    return check_contract(table, Dataset(target="default", positive=1), contract, Features())[0]


def test_a_broken_contract_shows_every_outcome_failures_first():
    page = render_contract(checked(BETWEEN, MEAN, ABSENT), "shop", "", "5f" * 16, AT)
    assert page.count("✗ The contract is broken") == 1
    assert "Data contract of shop</h1>" in page
    assert "run 5f5f5f5f · 1 March 2026, 12:30 UTC" in page
    for said in (
        "✗ failed",
        "✗ could not be evaluated",
        "– not evaluated",
        "17 (row 101)",
        "quarantine",
        "25.00\xa0%",
    ):
        assert said in page
    assert "4 did not hold (1 to quarantine, 2 to stop, 1 to warn)." in page
    assert page.index("✗ failed") < page.index("✓ passed")
    assert not re.search(r"src=|url\(|<script|<link|@import|<i>|href=", page)


def test_a_kept_contract_of_a_raw_table_says_so():
    page = render_contract(checked(BETWEEN | {"min_value": 0}), "shop", "lines", "", AT)
    assert "Data contract of shop, raw table lines</h1>" in page
    assert "✓ The contract is kept" in page
    assert "✗" not in page
    assert " · run " not in page


def test_the_data_set_writes_a_folder_that_is_read_again(tmp_path):
    dataset = DataDocsDataset(filepath=str(tmp_path / "data_docs"), vertical="shop")
    dataset.run_id = "ab" * 16
    dataset.save(checked())
    (page,) = dataset.load().values()
    assert b"run abababab" in page
