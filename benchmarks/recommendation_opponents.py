"""Lists of other libraries, in an environment of their own: implicit's ALS, and LightGBM as a lambdarank ranker.

It reads arrays from a folder and writes lists there; see benchmarks/recommendation.py, which starts it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

DEPTH = 20
# Usual values, not tuned to this shop: as the default model, neither opponent has seen the test.
ALS = {
    "factors": 128,
    "regularization": 5.0,
    "alpha": 5.0,
    "iterations": 15,
    "random_state": 7,
    "num_threads": 1,
}
LAMBDARANK = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.7,
    "lambdarank_truncation_level": 20,
    "num_threads": 1,
    "seed": 7,
    "verbose": -1,
}
TREES = 300


def implicit_als(folder: Path) -> np.ndarray:
    """Items of each customer by implicit ALS (Hu, Koren, Volinsky 2008), what it must not offer left out."""
    given = np.load(folder / "interactions.npz")
    matrix = csr_matrix((given["data"], given["indices"], given["indptr"]), shape=given["shape"])
    model = import_module("implicit.cpu.als").AlternatingLeastSquares(**ALS)
    model.fit(matrix, show_progress=False)
    customers = given["customers"]
    filtered = bool(given["only_new"])
    found, _ = model.recommend(customers, matrix[customers], N=DEPTH, filter_already_liked_items=filtered)
    return np.asarray(found)


def lightgbm_lambdarank(folder: Path) -> np.ndarray:
    """Items of each customer by a ranker on the same pairs and features as the project's model."""
    lightgbm = import_module("lightgbm")
    given = np.load(folder / "pairs.npz")
    rows = lightgbm.Dataset(given["train"], given["label"], group=given["groups"])
    model = lightgbm.train(LAMBDARANK, rows, TREES)
    scores, keys, size = model.predict(given["test"], num_threads=1), given["keys"], int(given["items"])
    customers = np.unique(keys // size)
    order = np.lexsort((-scores, keys // size))
    lists = np.full((len(customers), DEPTH), -1)
    starts = np.searchsorted(keys[order] // size, customers)
    for row, (start, end) in enumerate(zip(starts, [*starts[1:], len(keys)], strict=True)):
        places = keys[order[start : min(end, start + DEPTH)]] % size
        lists[row, : len(places)] = places
    return lists


if __name__ == "__main__":
    where = Path(sys.argv[1])
    spent = {}
    for contender in (implicit_als, lightgbm_lambdarank):
        began = time.process_time()
        np.save(where / f"{contender.__name__}.npy", contender(where))
        spent[contender.__name__] = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (where / "spent.json").write_text(json.dumps({"seconds": spent, "peak": peak}))
