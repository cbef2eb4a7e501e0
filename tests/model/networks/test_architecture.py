import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.model.networks import defaults
from lepton_pipeline.model.networks.estimator import TorchNetworks
from lepton_pipeline.model.networks.network import Network, check_architecture, find_architecture
from lepton_pipeline.parameters import MODELS, Training
from lepton_pipeline.tasks.binary import Binary

COLUMNS = [1, 10, 25, 100, 400, 500, 1600, 2000, 10_000]
ROWS = [10, 300, 31_999, 32_000, 50_000, 50_001, 108_000, 108_001, 1_000_000]


@pytest.mark.parametrize("name", MODELS)
def test_every_architecture_is_a_network(name):
    assert issubclass(find_architecture(name), Network)


def test_an_unknown_architecture_is_refused_by_the_declaration_which_names_those_there_are():
    with pytest.raises(ValidationError, match="'resnet' is no model; choose one of default, mlp, linear"):
        Training(model="resnet")


def test_the_default_of_the_declaration_is_an_architecture():
    assert Training().model in MODELS


def test_the_estimator_is_imported_without_torch():
    code = "import lepton_pipeline.model.networks.estimator, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class OneNumber(Network):
    """An architecture that another package adds: it looks at the first number only."""

    def __init__(self, shape, networks=1):
        super().__init__(shape, networks)
        self.slope = nn.Parameter(torch.zeros(networks, 1, 1, shape.outputs))

    def forward(self, numeric, codes):
        return numeric[:, :, :1, None] * self.slope

    def decaying(self):
        yield self.slope


def test_an_architecture_is_added_by_its_class(tmp_path):
    numbers = np.linspace(-1, 1, 100).astype(np.float32)
    encoded = pd.DataFrame({"a": numbers, "b": numbers[::-1]})
    plan = Plan([Fold(np.arange(0, 100, 2), np.arange(1, 100, 2))], refit=False)
    training = Training(model=f"{__name__}:OneNumber", epochs=5, learning_rate=0.1, device="cpu")
    model = TorchNetworks(training, Binary())
    scores = model.fit(encoded, (numbers > 0).astype(np.int8), plan)
    assert (np.diff(scores[1::2]) > 0).all()
    assert model.trained["code_sha256"] == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    model.save(tmp_path)
    assert np.array_equal(TorchNetworks.load(tmp_path, Binary()).predict(encoded), model.predict(encoded))


class NoNetwork:
    """Something else of the same module."""


class OneForAll(OneNumber):
    """Its parameter has no dimension of networks."""

    def __init__(self, shape, networks=1):
        super().__init__(shape, networks)
        self.slope = nn.Parameter(torch.zeros(1, 1, 1, shape.outputs))


class NoMembers(OneNumber):
    def forward(self, numeric, codes):
        return super().forward(numeric, codes)[:, :, 0]


class NoOutputs(OneNumber):
    """Of several outputs it gives one."""

    def forward(self, numeric, codes):
        return super().forward(numeric, codes)[..., :1]


class Eavesdropper(OneNumber):
    """Networks see each other."""

    def forward(self, numeric, codes):
        together = super().forward(numeric, codes).sum(dim=0, keepdim=True)
        return together.expand(self.networks, -1, -1, -1)


class Crowd(OneNumber):
    """Rows see each other."""

    def forward(self, numeric, codes):
        return super().forward(numeric, codes) - numeric[:, :, :1, None].mean(dim=1, keepdim=True)


class Dice(OneNumber):
    def forward(self, numeric, codes):
        return super().forward(numeric, codes) + torch.rand(numeric.shape[:2])[:, :, None, None]


class Deaf(OneNumber):
    def forward(self, numeric, codes):
        return super().forward(numeric, codes).detach() + self.slope * 0


class Broken(OneNumber):
    def forward(self, numeric, codes):
        raise IndexError("no third column")


class Forgetful(OneNumber):
    """Its weights depend on the number of networks."""

    def __init__(self, shape, networks=1):
        super().__init__(shape, networks)
        self.slope = nn.Parameter(torch.zeros(networks, networks, 1, shape.outputs))

    def forward(self, numeric, codes):
        return numeric[:, :, :1, None] * self.slope.mean(dim=1, keepdim=True)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        (
            "nowhere.nets:Wide",
            "needs the module 'nowhere', which cannot be imported; put it below src, or install",
        ),
        ("NoClass", "cannot be imported: module .* has no attribute 'NoClass'"),
        ("NoNetwork", "is no network; derive the class from lepton_pipeline.model.networks.network:Network"),
        ("OneForAll", "has a parameter 'slope' of another first dimension than the networks"),
        ("NoMembers", r"gives outputs of shape \[2, 6, 3\], not \[networks, rows, members, outputs\]"),
        ("NoOutputs", r"gives outputs of shape \[2, 6, 1, 1\], not \[networks, rows, members, outputs\]"),
        ("Eavesdropper", "lets one network learn from another"),
        ("Crowd", "lets a row's outputs depend on other rows outside training"),
        ("Dice", "draws numbers outside training"),
        ("Deaf", "learns nothing: no parameter has a gradient"),
        ("Broken", "fails with IndexError: no third column"),
        ("Forgetful", "fails with RuntimeError: Error.* in loading state_dict"),
    ],
)
def test_a_class_that_breaks_a_promise_is_refused_with_which(name, seen):
    name = name if ":" in name else f"{__name__}:{name}"
    with pytest.raises(ConfigurationError, match=f"^training.model: '{name}' {seen}"):
        check_architecture(name)


@pytest.mark.parametrize("name", MODELS)
def test_every_architecture_of_the_project_keeps_the_promises(name):
    state = torch.get_rng_state()
    check_architecture(name)
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_grow_with_the_table():
    sizes = [defaults.batch_size(rows) for rows in ROWS]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert all(2 <= size <= 8192 for size in sizes)


def test_embeddings_shrink_with_the_columns_and_bound_the_first_layer():
    sizes = [defaults.embedding(columns) for columns in COLUMNS]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) == 1 < max(sizes)
    assert all(size * columns <= max(columns, 4000) for size, columns in zip(sizes, COLUMNS, strict=True))
    assert defaults.embedding(0) >= 1


def test_large_tables_have_fewer_networks():
    networks = [defaults.networks_by_time(rows) for rows in ROWS]
    assert networks == sorted(networks, reverse=True)
    assert networks[-1] >= 1
