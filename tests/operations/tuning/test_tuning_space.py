from __future__ import annotations

import optuna
import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.tuning.space import OTHERS, USUAL, apply_changes, make_space
from lepton_pipeline.parameters import Training


def suggest(space, given):
    """What the space makes of a trial with these values."""
    return space.suggest(optuna.trial.FixedTrial(given))


@pytest.mark.parametrize(
    "declared",
    [{}, {"width": 100, "bins": 1, "layers": 8}, {"weight_decay": 0.0, "dropout": 0.7, "learning_rate": 0.3}],
)
def test_the_declared_values_are_within_the_bounds(declared):
    training = Training(**declared)
    space = make_space(training, (*USUAL, *OTHERS), columns=500, rows=40_000)
    assert list(space.bounds) == [*USUAL, *OTHERS]
    # A value out of bounds is an error: warnings are, in tests.
    assert suggest(space, space.declared) == {}
    assert space.declared["embedding"] == 3
    assert space.declared["batch_size"] == 512


def test_only_what_differs_is_a_change_and_three_digits_are_enough():
    space = make_space(Training(), ["learning_rate", "layers", "dropout"], columns=5, rows=100)
    given = {"learning_rate": 0.00123456, "layers": 2, "dropout": 0.20001}
    assert suggest(space, given) == {"learning_rate": 0.00123}
    assert apply_changes(Training(width=64), {"layers": 3}) == Training(width=64, layers=3)


@pytest.mark.parametrize(
    ("model", "key", "said"),
    [
        (
            "default",
            "epochs",
            "'epochs' cannot be tuned for training.model 'default'; choose among learning_rate",
        ),
        ("default", "learning_rte", "did you mean 'learning_rate'?"),
        ("linear", "width", "choose among learning_rate, weight_decay, batch_size, boosting."),
        ("mlp", "members", "for training.model 'mlp'"),
    ],
)
def test_a_key_that_the_model_does_not_read_is_refused(model, key, said):
    with pytest.raises(ConfigurationError, match=r"--keys: ") as refused:
        make_space(Training(model=model), [key], columns=5, rows=100)
    assert said in str(refused.value)
    usual = make_space(Training(model=model), [], columns=5, rows=100)
    assert set(usual.bounds) <= set(USUAL)
