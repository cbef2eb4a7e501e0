"""What a version lets a server keep."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.model.logged import Logged, hash_value
from lepton_pipeline.parameters import Dataset, ServedLog


def dataset(**log):
    return Dataset(target="bought", positive="yes", id="customer", time="day", served_log=ServedLog(**log))


def test_it_names_the_columns_that_tell_rows_apart():
    log = {"hashed": ["customer"], "dropped": ["name"]}
    assert Logged.of(dataset(**log), ["age", "name"]) == Logged(ServedLog(**log), "customer", "day")


def test_a_hash_hides_a_value_and_tells_values_apart():
    assert len(hash_value("c7")) == 32
    assert "c7" not in hash_value("c7")
    assert hash_value("c7") != hash_value("c8")


def test_nothing_is_kept_unless_declared():
    assert Logged.of(Dataset(target="bought", positive="yes"), ["age"]) is None
    assert "served_log" not in Dataset(target="bought", positive="yes").model_dump()


def test_a_masked_column_that_is_never_kept_is_refused():
    with pytest.raises(
        ConfigurationError,
        match=r"dataset\.served_log\.hashed: 'custmer' is never kept.*did you mean 'customer'",
    ):
        Logged.of(dataset(hashed=["custmer"]), ["age"])


def test_a_column_cannot_be_both():
    with pytest.raises(ValidationError, match="'age' is declared as hashed and dropped; keep one"):
        dataset(hashed=["age"], dropped=["age"])
