"""The parts of a model fitted side by side are those fitted one after the other."""

from pathlib import Path

import numpy as np
import pytest
from test_predictor import BINARY, SMALL, make_rows

from lepton_pipeline.model import predictor as module
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Evaluation, Training
from lepton_pipeline.tasks.find import find_target

# Patches of this process do not hold in others, so boosting is as large as it is.
ROWS = 300


@pytest.mark.parametrize("by_time", [False, True])
def test_the_model_is_the_same_to_the_bit_and_every_epoch_is_heard(by_time):
    encoded, split = make_rows(ROWS, by_time=by_time)
    found = []
    for jobs in (1, 3):
        heard = []
        model, history, held_out = train_model(
            encoded, split, BINARY, Training(**SMALL, jobs=jobs), heard.append
        )
        epochs = sorted((epoch.network, epoch.number, epoch.train_loss) for epoch in heard)
        found.append((model.weights_sha256, history.to_csv(), held_out.to_csv(), epochs))
    assert found[0] == found[1]


def test_quantiles_of_a_number_are_the_same():
    encoded, split = make_rows(ROWS)
    amounts = encoded["a"].to_numpy(np.float64) * 10 + np.random.default_rng(1).normal(size=ROWS)
    split = split.assign(label=amounts)
    dataset = Dataset(target="price", task="regression")
    target = find_target(split.assign(price=amounts), dataset, Training(quantiles=True), Evaluation())
    hashes = {
        train_model(encoded, split, target, Training(**SMALL, quantiles=True, jobs=jobs))[0].weights_sha256
        for jobs in (1, 2)
    }
    assert len(hashes) == 1


def test_small_tables_stay_in_one_process_unless_it_is_declared(monkeypatch):
    encoded, _ = make_rows(ROWS)
    monkeypatch.setattr(module, "choose_jobs", lambda declared, threads, memory: declared or 7)
    assert module._jobs(Training(), encoded, 5 * ROWS) == 1
    assert module._jobs(Training(jobs=2), encoded, 5 * ROWS) == 2
    assert module._jobs(Training(), encoded, 100_000) == 7


def test_the_bound_is_the_documented_one():
    text = (Path(__file__).parents[2] / "docs" / "model.md").read_text(encoding="utf-8")
    assert f"networks together have fewer than {module._FEW_ROWS:,} rows" in text


def test_jobs_are_no_part_of_a_model(tmp_path):
    encoded, split = make_rows(ROWS)
    files = []
    for jobs in (1, 2):
        model, _, _ = train_model(encoded, split, BINARY, Training(**SMALL, jobs=jobs))
        model.save(tmp_path / str(jobs))
        files.append(
            {
                path.name: path.read_bytes()
                for path in sorted((tmp_path / str(jobs)).rglob("*"))
                if path.is_file()
            }
        )
    assert files[0] == files[1]
    assert Training().model_dump().keys() == Training(jobs=1).model_dump().keys() - {"jobs"}
