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
    assert roles.asked["fnlwgt"].endswith("if so, declare it as dataset.weight")
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


OPENINGS = ("A quiet room", "Sunny flat", "Tiny house", "Our old cabin", "Large loft")
PLACES = (
    "near the river",
    "in the old town",
    "with a view of the lake",
    "by the sea, no pets",
    "above the bakery",
)


def titles(rows: int) -> list[str]:
    """Titles of listings, another one in nearly every row."""
    return [f"{OPENINGS[n % 5]} {PLACES[n // 5 % 5]} for {n} nights" for n in range(rows)]


def test_written_language_is_text_also_where_it_is_unique() -> None:
    roles = choose_roles(
        pd.DataFrame(
            {
                "title": titles(300),
                "remark": [None, None, *titles(298)],
                "answer": (OPENINGS * 60),
                "seldom": [f"{opening} {place}" for opening in OPENINGS for place in PLACES] * 12,
                "row": range(1, 301),
            }
        ),
        [],
    )
    assert set(roles.text) == {"title", "remark"}
    assert roles.text["title"] == "written language, 9 words a text on average"
    assert roles.id == "row"
    assert roles.excluded == {}
    # Values that come again are categories, whatever they say.
    assert choose_roles(pd.DataFrame({"title": titles(300)}), []).id is None


def test_what_names_rows_things_and_persons_is_no_text() -> None:
    persons = [
        f"{first} {second} {third} {last}"
        for first in ("Ana", "Luz", "Eva", "Mar", "Sol")
        for second in ("Maria", "Isabel", "Elena", "Lucia")
        for third in ("Gomez", "Perez", "Lopez", "Ruiz", "Sanz")
        for last in ("Silva", "Costa", "Rocha")
    ]
    table = pd.DataFrame(
        {
            "note_id": titles(300),
            "home address": [f"{n} River Street, Springfield, Illinois" for n in range(300)],
            "client": persons,
            "url": [f"https://example.org/rooms/{n}" for n in range(300)],
            "path": [f"/home/anna/My Documents/the old room {n}.txt" for n in range(300)],
            "row": range(1, 301),
        }
    )
    roles = choose_roles(table, [])
    assert roles.text == {}
    assert roles.id == "note_id"
    assert set(roles.excluded) == {"home address", "client", "url", "path", "row"}
    assert choose_roles(pd.DataFrame({"title": titles(300)}), ["title"]).text == {}


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
