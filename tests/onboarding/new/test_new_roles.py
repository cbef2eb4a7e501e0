import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.new.roles import choose_roles, choose_time


def test_roles_of_the_other_columns() -> None:
    rows = 200
    table = pd.DataFrame(
        {
            "note": [f"text {n}" for n in range(rows - 2)] + ["text 0", "text 1"],
            "row": range(1, rows + 1),
            "customer_id": [n % 100 for n in range(rows)],
            "account_id": range(5000, 5000 + 7 * rows, 7),
            "balance": [n * 37 for n in range(rows)],
            "constant": 4,
            "empty": np.nan,
            "half": [1.0, np.nan] * (rows // 2),
            "region_code": [n % 5 for n in range(rows)],
            "count": [n % 6 for n in range(rows)],
            "age": [n % 60 for n in range(rows)],
        }
    )
    roles = choose_roles(table, [])
    assert roles.id == "row"
    assert set(roles.excluded) == {"note", "account_id", "customer_id"}
    assert set(roles.constant) == {"constant", "empty"}
    assert roles.things == {"customer_id": 100}
    assert roles.categorical == ["region_code"]
    assert roles.protected == ["age"]


def test_time_axis_is_the_only_date_that_is_no_birthday() -> None:
    dates = pd.to_datetime(["2026-01-01", "2026-01-02"])
    table = pd.DataFrame({"birth_date": dates, "sold": dates, "n": [1, 2], "t": ["a", "b"], "c": [1, 1]})
    assert choose_time(table, None, set())[0] == "sold"
    assert choose_time(table.assign(sent=dates), None, set())[0] is None
    assert choose_time(table, "n", set())[0] == "n"
    with pytest.raises(DataError, match="neither numbers nor dates"):
        choose_time(table, "t", set())
    with pytest.raises(DataError, match="one value only"):
        choose_time(table, "c", set())
    with pytest.raises(ConfigurationError, match="no column 'solt'; did you mean 'sold'"):
        choose_time(table, "solt", set())
    with pytest.raises(ConfigurationError, match="target or the group already"):
        choose_time(table, "n", {"n"})
