"""Small models that tests of the export share, and how their files are run."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from tasks.shops import TaskShop, house_shop, task_shop, wine_shop

from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Dataset, Features, Training
from lepton_pipeline.tasks.calibration import Calibration

_QUICK = {"networks": 2, "members": 3, "width": 8, "bins": 4, "embedding": 2, "epochs": 2, "device": "cpu"}


def require_onnx() -> None:
    """Skip a module where the extra is not installed."""
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason="it is not installed: pip install '.[onnx]'")


@cache
def loan_shop() -> TaskShop:
    """500 loans of two classes by the default network and boosting: numbers, categories and truth values with gaps."""
    random = np.random.default_rng(7)
    table = pd.DataFrame(
        {
            "amount": random.lognormal(8, 1, 500).round(2),
            "months": random.integers(6, 60, 500),
            "late": np.where(random.random(500) < 0.9, np.nan, 7.0),
            "zip": random.choice([1234, 4321, 99], 500),
            "town": random.choice([f"town {place}" for place in range(40)] + ["Orléans"], 500),
            "insured": random.choice([True, False], 500),
        }
    )
    table.loc[::11, "amount"] = np.nan
    table.loc[::13, "town"] = None
    bad = table["town"].isin(["town 3", "town 7", "Orléans"]) | (table["months"] > 48)
    table["default"] = np.where(random.random(500) < 0.1 + 0.6 * bad, "yes", "no")
    dataset = Dataset(
        target="default", positive="yes", numeric=["amount", "months", "late"], categorical=["zip", "insured"]
    )
    features = Features(derive={"rate": "amount / months"})
    table["rate"] = table["amount"] / table["months"]
    return task_shop(table, dataset, Training(boosting=True, **_QUICK), features=features)


@cache
def scaled_shop() -> TaskShop:
    """300 rows by linear networks alone, with a target that is divided by a column, and costs of errors."""
    random = np.random.default_rng(8)
    table = pd.DataFrame({"size": random.lognormal(3, 1, 300), "rooms": random.integers(1, 9, 300)})
    table["kind"] = random.choice(["flat", "house"], 300)
    table["usual"] = random.lognormal(5, 0.5, 300)
    table["price"] = table["usual"] * (1 + 0.1 * table["rooms"] + random.normal(scale=0.1, size=300))
    dataset = Dataset(target="price", task="regression", scale="usual")
    return task_shop(table, dataset, Training(model="linear", epochs=2, device="cpu"))


def artefacts() -> dict[str, Artefact]:
    """Models of all tasks and networks, with a calibration that moves scores."""
    found = {
        "loans": loan_shop().artefact,
        "wines": wine_shop().artefact,
        "houses": house_shop().artefact,
        "scaled": scaled_shop().artefact,
    }
    for name in ("loans", "wines"):
        moved = replace(found[name].predictor, calibration=Calibration(0.8, 0.3), boosting_weight=0.35)
        found[f"calibrated {name}"] = replace(found[name], predictor=moved)
    return found


TABLES = {"loans": loan_shop, "wines": wine_shop, "houses": house_shop, "scaled": scaled_shop}


def table_of(name: str) -> pd.DataFrame:
    """Rows that one of `artefacts` is compared on."""
    return TABLES[name.rpartition(" ")[2]]().table
