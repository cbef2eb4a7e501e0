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


def test_twins_have_one_role_however_many_values_each_has() -> None:
    rows = 400
    table = pd.DataFrame(
        {
            "from_hub_id": [n % 12 for n in range(rows)],
            "to_hub_id": [n % 80 for n in range(rows)],
            "old_plan_code": [n % 5 for n in range(rows)],
            "new_plan_code": [n % 40 for n in range(rows)],
            "from_km": [n % 7 for n in range(rows)],
            "to_km": [n % 300 for n in range(rows)],
        }
    )
    roles = choose_roles(table, [])
    assert set(roles.excluded) == {"from_hub_id", "to_hub_id"}
    assert roles.categorical == ["old_plan_code", "new_plan_code"]


def test_weights_are_no_ids_and_asked_about() -> None:
    rows = 300
    table = pd.DataFrame(
        {
            "fnlwgt": range(10_000, 10_000 + rows),
            "sample_weight": [0.5 + n / rows for n in range(rows)],
            "weight": [60 + n % 40 for n in range(rows)],
            "birth_weight_g": [2500 + n for n in range(rows)],
        }
    )
    roles = choose_roles(table, [])
    assert set(roles.asked) == {"fnlwgt", "sample_weight"}
    assert "sampling weight" in roles.asked["fnlwgt"]
    assert roles.excluded == {}
    assert roles.id == "birth_weight_g"


def test_names_of_persons_do_not_stay_features_silently() -> None:
    first, last = ["Anna", "Ben", "Çelik", "Dora", "Emil"], ["Maier", "O'Neil", "de Vries", "Graf"]
    names = [f"{one} {other}" for one in first for other in last]
    table = pd.DataFrame(
        {
            "driver": names * 10,
            "FirstName": first * 40,
            "contact": names * 10,
            "city": ["New York", "San Jose", "Los Angeles", "Santa Fe"] * 50,
            "brand": [f"Brand {n % 20}" for n in range(200)],
            "product_name": names * 10,
        }
    )
    roles = choose_roles(table, [])
    assert set(roles.excluded) == {"driver", "FirstName"}
    assert "20 persons" in roles.excluded["driver"]
    assert set(roles.asked) == {"contact"}


def test_codes_are_categories_or_name_things() -> None:
    table = pd.DataFrame(
        {"branch": ["01", "02", "03"] * 200, "card": [f"{n % 150:020d}" for n in range(600)]}
    )
    roles = choose_roles(table, [], ["branch", "card"])
    assert roles.categorical == ["branch"]
    assert set(roles.excluded) == {"card"}


def test_texts_of_which_a_run_would_learn_nothing_are_left_out_with_a_line() -> None:
    table = pd.DataFrame(
        {"town": [f"t{n % 250}" for n in range(1000)], "shop": [f"s{n % 50}" for n in range(1000)]}
    )
    assert choose_roles(table, []).excluded == {"town": "every value is rare, at most 4 rows have the same"}
