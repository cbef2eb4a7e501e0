"""What a model makes of a case with other values, in every task."""

from __future__ import annotations

import numpy as np
import pytest
from tasks.shops import house_shop, review_shop, wine_shop

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.notebook.what_if import ask_what_if

SHOPS = {"classes": wine_shop, "number": house_shop, "text": review_shop}


@pytest.fixture(params=SHOPS)
def shop(request):
    return SHOPS[request.param]()


def test_by_default_the_strongest_column_becomes_typical(shop):
    case = shop.table.index[3]
    asked = ask_what_if(shop.artefact, shop.table, case, None, "shop, version 1")

    effects = shop.artefact.effects(shop.table.loc[[case]]).iloc[0]
    first = effects.abs().idxmax()
    assert asked.values.index[0] == first
    assert asked.values.iloc[0]["changed to"] == asked.values.iloc[0]["typical"] != ""
    assert asked.values.iloc[0, -1] == effects[first]
    # All columns of these small models are shown, and all but one stay as they are.
    assert set(asked.values.index) == set(shop.artefact.inputs)
    assert (asked.values["changed to"] != "").sum() == 1
    typical = shop.table.loc[[case]].assign(**{first: [shop.artefact.reference[first]]})
    expected = shop.artefact.predict(typical).iloc[0].to_list()
    assert asked.predictions.loc["changed"].to_list() == expected


def test_what_is_changed_is_predicted_and_the_table_stays_as_it_is():
    shop = house_shop()
    before = shop.table.copy()
    asked = ask_what_if(shop.artefact, shop.table, 7, {"bmi": 40.0, "sex": "f"}, "house, version 2")

    rows = shop.table.loc[[7]]
    assert asked.predictions.loc["as it is", "prediction"] == shop.artefact.predict(rows)["prediction"].item()
    changed = shop.artefact.predict(rows.assign(bmi=40.0, sex="f"))["prediction"].item()
    assert asked.predictions.loc["changed", "prediction"] == changed
    assert asked.title == "house, version 2: row 7, and what if bmi = 40, sex = f?"
    assert asked.values["changed to"].to_list()[:2] == ["40", "f"]
    assert shop.table.equals(before)
    # The picture is of the first of them, and has the row's own value among those that are tried.
    assert asked.picture.title == "The same row with other values of bmi"
    assert asked.picture.svg.count(b"<circle") > 20


def test_values_of_a_category_are_named_in_the_picture():
    asked = ask_what_if(wine_shop().artefact, wine_shop().table, 5, {"origin": "hill"}, "wine, version 1")
    for text in (b"coast, south", b">hill<", b"Probability of "):
        assert text in asked.picture.svg
    assert "data:image/svg+xml;base64," in asked._repr_html_()


def test_a_missing_value_is_a_case_like_others():
    shop = wine_shop()
    assert np.isnan(shop.table.loc[9, "ash"])
    asked = ask_what_if(shop.artefact, shop.table, 9, {"ash": 2.0}, "wine, version 1")
    assert asked.values.loc["ash", ["value", "changed to"]].to_list() == ["missing", "2"]


def test_values_of_the_data_are_escaped():
    shop = house_shop()
    table = shop.table.assign(sex="<b>")
    assert "<b>" not in ask_what_if(shop.artefact, table, 0, {"sex": "<b>"}, "house")._repr_html_()


def test_a_column_that_the_model_does_not_read_is_named_with_what_was_meant():
    shop = house_shop()
    with pytest.raises(
        ConfigurationError, match=r"reads no column 'BMI'; did you mean 'bmi'\? it reads age, "
    ):
        ask_what_if(shop.artefact, shop.table, 0, {"BMI": 3}, "house")


def test_a_value_that_cannot_be_used_is_named():
    shop = house_shop()
    with pytest.raises(DataError, match="bmi"):
        ask_what_if(shop.artefact, shop.table, 0, {"bmi": "fat"}, "house")


def test_effects_say_their_unit():
    number = ask_what_if(house_shop().artefact, house_shop().table, 0, None, "house")
    classes = ask_what_if(wine_shop().artefact, wine_shop().table, 0, None, "wine")
    assert (number.values.columns[-1], classes.values.columns[-1]) == ("effect", "effect in log-odds")
