"""Networks that start from the margins of texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.model.networks.estimator import TorchNetworks
from lepton_pipeline.model.networks.members import Members
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.parameters import Training
from lepton_pipeline.tasks.multiclass import Multiclass

SHAPE = Shape(3, (), members=2, bins=2, embedding=2, layers=1, width=4, dropout=0.0, outputs=3)


def test_margins_are_added_to_the_outputs_they_speak_for():
    torch.manual_seed(0)
    bare = Members(SHAPE)
    added = Members(Shape(**{**vars(SHAPE), "margins": (2, 0, 1)}))
    added.load_state_dict(bare.state_dict(), strict=False)
    numeric, codes = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.empty(1, 1, 0, dtype=torch.int32)
    gained = added(numeric, codes) - bare(numeric, codes)
    torch.testing.assert_close(gained, torch.tensor([3.0, 1.0, 2.0]).expand(1, 1, 2, 3))


def test_margins_are_found_by_the_names_of_all_classes():
    task = Multiclass(classes=("a", "b", "c: d"))
    networks = TorchNetworks(Training(), task)
    networks.numeric = sorted(["note: a", "note: b", "note: c: d", "other: a", "size"])
    assert [networks.numeric[place] for place in networks._margins()] == ["note: a", "note: b", "note: c: d"]
    networks.numeric = ["other: a", "size"]
    assert networks._margins() == ()


def test_margins_help_with_few_rows_of_many_classes(tmp_path):
    generator = np.random.default_rng(0)
    classes = tuple(f"kind {place:02}" for place in range(30))
    labels = np.arange(240) % 30
    margins = (generator.normal(size=(240, 30)) + 3 * np.eye(30)[labels]).astype(np.float32)
    fold = Fold(np.arange(120), np.arange(120, 240))
    accuracy = {}
    # Without the name of the column they are numbers like others.
    for prefix in ("text: ", ""):
        table = pd.DataFrame(margins, columns=[f"{prefix}{name}" for name in classes])
        networks = TorchNetworks(Training(threads=1, device="cpu"), Multiclass(classes=classes))
        scores = networks.fit(table, labels, Plan([fold], refit=False))[120:]
        accuracy[prefix] = (scores.argmax(axis=1) == labels[120:]).mean()
        networks.save(tmp_path / str(len(prefix)))
        loaded = TorchNetworks.load(tmp_path / str(len(prefix)), Multiclass(classes=classes))
        np.testing.assert_array_equal(loaded.predict(table), networks.predict(table))
    assert accuracy["text: "] > accuracy[""] + 0.2
