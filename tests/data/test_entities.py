import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.copies import find_copies
from lepton_pipeline.evaluation.measured_copies import describe_copies
from lepton_pipeline.parameters import Dataset, Features, Split
from lepton_pipeline.tasks.find import Target, find_task
from lepton_pipeline.tasks.split import split_rows


def visits(patients=120, rate=0.3, seed=0, flips=0.0):
    """Visits of patients, each of whom has one outcome, but for some visits."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(patients), rng.integers(2, 8, patients)))
    ill = (rng.random(patients) < rate).astype(int)[who]
    ill = np.where(rng.random(len(who)) < flips, 1 - ill, ill)
    table = pd.DataFrame({"x": rng.normal(size=len(who)), "patient": who, "ill": ill})
    return table.assign(city=rng.integers(0, 30, len(who)), day=rng.integers(1, 32, len(who)))


def find(table, dataset, **split):
    declared, target = Split(**split), Target(find_task(table, dataset))
    parts = split_rows(table, target, dataset, declared)
    return *find_copies(table, parts, target, dataset, Features(), declared), parts


@pytest.mark.parametrize("named", [lambda each: each, lambda each: f"P{each:04d}"])
@pytest.mark.parametrize("excluded", [True, False])
@pytest.mark.parametrize("flips", [0, 0.02])
def test_a_patient_with_one_outcome_is_found(named, excluded, flips):
    table = visits(flips=flips).assign(patient=lambda each: each["patient"].map(named))
    dataset = Dataset(target="ill", positive=1, exclude=["patient"] if excluded else [])
    marks, found, parts = find(table, dataset)
    (entity,) = found.entities
    assert (entity.column, entity.declared, entity.entities) == ("patient", False, 120)
    assert entity.one_outcome == (120 if flips == 0 else pytest.approx(110, abs=9))
    learnt = set(table.loc[parts["part"] != "test", "patient"])
    assert marks["entity_0"].tolist() == table.loc[marks.index, "patient"].isin(learnt).tolist()
    assert entity.test_rows == marks["entity_0"].sum() > 0
    ((_, said),) = describe_copies(found)
    assert "declare dataset.group: patient and split.strategy: group" in said


def test_ordinary_columns_name_no_entities():
    rng = np.random.default_rng(2)
    table = visits().drop(columns="patient").assign(row=lambda each: range(len(each)))
    # Each of them tells much about the target, but its rows do not share one outcome, or it is a measurement.
    table["shop"] = rng.integers(0, 40, len(table)) + 40 * (table["ill"] ^ (rng.random(len(table)) < 0.2))
    table["overdue"] = rng.integers(0, 30, len(table)) + 31 * table["ill"]
    table["kind"] = np.where(table["ill"] == 1, rng.choice(list("abcdefghijklm"), len(table)), "none")
    dataset = Dataset(target="ill", positive=1, id="row", exclude=["shop", "overdue", "kind"])
    assert find(table, dataset)[1].entities == []


def test_ids_in_the_order_of_the_outcome_are_known_by_their_name():
    table = visits().sort_values(["ill", "patient"], ignore_index=True)
    table["patient"] = pd.factorize(table["patient"])[0]
    dataset = Dataset(target="ill", positive=1, exclude=["patient"])
    assert [each.column for each in find(table, dataset)[1].entities] == ["patient"]
    table = table.rename(columns={"patient": "level"})
    assert find(table, Dataset(target="ill", positive=1, exclude=["level"]))[1].entities == []


def test_a_rare_outcome_is_no_constant_one():
    rng = np.random.default_rng(3)
    table = visits(patients=300).assign(ill=lambda each: (rng.random(len(each)) < 0.02).astype(int))
    assert find(table, Dataset(target="ill", positive=1, exclude=["patient"]))[1].entities == []
    table = visits(patients=600, rate=0.03, seed=4)
    assert len(find(table, Dataset(target="ill", positive=1, exclude=["patient"]))[1].entities) == 1


def test_a_declared_group_is_counted_whatever_its_outcomes_unless_it_is_kept_together():
    rng = np.random.default_rng(5)
    table = visits().assign(ill=lambda each: rng.integers(0, 2, len(each)))
    dataset = Dataset(target="ill", positive=1, group="patient")
    marks, found, _ = find(table, dataset)
    (entity,) = found.entities
    assert entity.declared
    assert entity.test_rows == marks["entity_0"].sum() > 100
    assert "declare split.strategy: group if the model" in describe_copies(found)[0][1]
    assert find(table, dataset, strategy="group")[1].entities == []


def test_names_of_the_same_entities_are_told_once():
    table = visits().assign(chart=lambda each: "C" + each["patient"].astype("str"))
    found = find(table, Dataset(target="ill", positive=1, exclude=["patient", "chart"]))[1]
    assert [each.column for each in found.entities] == ["patient"]


def test_an_id_that_repeats_names_an_entity():
    found = find(visits(), Dataset(target="ill", positive=1, id="patient"))[1]
    assert [each.column for each in found.entities] == ["patient"]


def test_rows_without_a_name_are_of_no_entity():
    table = visits().assign(patient=lambda each: each["patient"].where(each["patient"] > 20))
    marks, found, _ = find(table, Dataset(target="ill", positive=1, exclude=["patient"]))
    assert found.entities[0].entities == 99
    assert not marks.loc[table.loc[marks.index, "patient"].isna(), "entity_0"].any()


def test_a_split_by_time_may_see_an_entity_again():
    table = visits().assign(when=lambda each: range(len(each)))
    dataset = Dataset(target="ill", positive=1, time="when", exclude=["patient"])
    assert find(table, dataset, strategy="time")[1].entities == []


def test_a_measurement_that_is_good_within_limits_is_no_entity():
    rng = np.random.default_rng(3)
    pressure = rng.integers(0, 80, 2500)
    defect = ((pressure < 20) | (pressure > 60)) ^ (rng.random(2500) < 0.04)
    table = pd.DataFrame({"pressure": pressure, "x": rng.normal(size=2500), "ill": defect.astype(int)})
    assert find(table, Dataset(target="ill", positive=1))[1].entities == []


def measured(patients=120, seed=0, spread=0.0):
    """Visits of patients, each of whom has one number, but for some spread between visits."""
    rng = np.random.default_rng(seed)
    table = visits(patients, seed=seed).drop(columns="ill")
    return table.assign(
        days=(50 * rng.lognormal(size=patients))[table["patient"]] + spread * rng.normal(size=len(table))
    )


DAYS = Dataset(target="days", task="regression", exclude=["patient"])


@pytest.mark.parametrize("spread", [0, 0.1])
@pytest.mark.parametrize("named", [lambda each: each, lambda each: f"P{each:04d}"])
def test_a_patient_with_one_number_is_found(named, spread):
    table = measured(spread=spread).assign(patient=lambda each: each["patient"].map(named))
    marks, found, _ = find(table, DAYS)
    (entity,) = found.entities
    assert (entity.column, entity.declared, entity.entities) == ("patient", False, 120)
    assert entity.one_outcome > 100
    assert entity.test_rows == marks["entity_0"].sum() > 0


def test_a_house_sold_again_at_another_price_is_no_entity():
    rng = np.random.default_rng(3)
    house = np.repeat(np.arange(1500), rng.choice([1, 2], 1500, p=[0.8, 0.2]))
    worth = rng.lognormal(13, 0.5, 1500)[house]
    table = pd.DataFrame(
        {"id": house, "lat": worth.round(-3), "price": worth * rng.lognormal(0.2, 0.25, len(house))}
    )
    dataset = Dataset(target="price", task="regression", exclude=["id"])
    found = find(table, dataset)[1]
    assert (found.entities, found.copies.rows) == ([], 0)
    table["floors"] = rng.integers(1, 4, len(table))
    table["size"] = (table["price"] / 1000).round().astype(int)
    assert find(table, dataset)[1].entities == [], "a measurement, though each value has one price"


@pytest.mark.parametrize("classes", [3, 12])
def test_a_patient_with_one_of_several_outcomes_is_found_and_a_code_of_them_is_none(classes):
    rng = np.random.default_rng(4)
    names = [f"c{place}" for place in range(classes)]
    outcome = rng.integers(0, classes, 40 * classes)
    table = visits(40 * classes).assign(ill=lambda each: np.array(names)[outcome[each["patient"]]])
    table["kind"] = table["ill"] + rng.choice(["x", "y"], len(table))
    found = find(table, Dataset(target="ill", classes=names, exclude=["patient", "kind"]))[1]
    assert [each.column for each in found.entities] == ["patient"]
    assert found.entities[0].one_outcome == found.entities[0].entities
