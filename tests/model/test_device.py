import os

import pytest
import torch

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.model.device import CUBLAS, choose_device, cpu_threads, reproducible


def test_auto_takes_a_card_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [choose_device(name) for name in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]


def test_without_a_card_auto_is_the_cpu_and_cuda_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(ConfigurationError, match=r"training.device is 'cuda'.* set training.device to auto or cpu"):
        choose_device("cuda")


def test_one_seed_gives_one_sequence():
    def draw(seed):
        with reproducible(seed, 1, "cpu"):
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.get_num_threads() == 1
            return torch.rand(3).tolist()

    assert draw(1) == draw(1) != draw(2)


def test_nothing_is_left_behind(monkeypatch):
    monkeypatch.delenv(CUBLAS, raising=False)

    def settings():
        return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), dict(os.environ)

    with cpu_threads(3):
        before, state = settings(), torch.get_rng_state()
        with pytest.raises(RuntimeError), reproducible(0, 1, "cpu"):
            torch.rand(3).reshape(2)
        assert settings() == before
        assert torch.equal(torch.get_rng_state(), state)


def test_a_workspace_chosen_by_the_user_is_kept(monkeypatch):
    monkeypatch.setenv(CUBLAS, ":16:8")
    with reproducible(0, 1, "cpu"):
        assert os.environ[CUBLAS] == ":16:8"
    assert os.environ[CUBLAS] == ":16:8"
