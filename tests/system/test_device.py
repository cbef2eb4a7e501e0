import os

import pytest
import torch

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.device import (
    CUBLAS,
    choose_device,
    choose_precision,
    cpu_threads,
    reproducible,
)


def settings():
    """What `reproducible` changes, but the generator."""
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.get_float32_matmul_precision(),
        dict(os.environ),
    )


@pytest.fixture
def card(monkeypatch):
    """A card, as far as questions go, and a function that says whether it computes in bf16."""

    def has_bf16(answer):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: answer)

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    return has_bf16


def test_auto_takes_a_card_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [choose_device(name) for name in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]


def test_without_a_card_auto_is_the_cpu_and_cuda_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(
        ConfigurationError, match=r"training.device is 'cuda'.* set training.device to auto or cpu"
    ):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["auto", "fp32", "tf32", "bf16"])
def test_a_cpu_computes_in_fp32_whatever_is_declared(name):
    assert choose_precision(name, "cpu") == "fp32"


@pytest.mark.parametrize(("available", "auto"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_bf16_where_the_card_has_it(card, available, auto):
    card(available)
    assert choose_precision("auto", "cuda") == auto
    assert [choose_precision(name, "cuda") for name in ("fp32", "tf32")] == ["fp32", "tf32"]


def test_bf16_that_the_card_does_not_have_is_an_error(card):
    card(True)
    assert choose_precision("bf16", "cuda") == "bf16"
    card(False)
    with pytest.raises(
        ConfigurationError, match=r"'bf16', but Tesla T4 .* set training.precision to auto, tf32 or"
    ):
        choose_precision("bf16", "cuda")


def test_one_seed_gives_one_sequence():
    def draw(seed):
        with reproducible(seed, 1, "cpu"):
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.get_num_threads() == 1
            return torch.rand(3).tolist()

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize(
    ("precision", "products"), [("tf32", "high"), ("fp32", "highest"), ("bf16", "highest")]
)
def test_products_have_the_precision_inside_and_what_the_user_set_outside(precision, products):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with reproducible(0, 1, "cpu", precision):
            assert torch.get_float32_matmul_precision() == products
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_nothing_is_left_behind(monkeypatch):
    monkeypatch.delenv(CUBLAS, raising=False)
    with cpu_threads(3):
        before, state = settings(), torch.get_rng_state()
        with reproducible(0, 1, "cpu", "tf32"):
            assert all(inside != outside for inside, outside in zip(settings()[:2], before[:2], strict=True))
        with pytest.raises(RuntimeError), reproducible(0, 1, "cpu", "tf32"):
            torch.rand(3).reshape(2)
        assert settings() == before
        assert torch.equal(torch.get_rng_state(), state)


def test_what_the_user_had_set_comes_back(monkeypatch):
    monkeypatch.setenv(CUBLAS, ":16:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        before = settings()
        with reproducible(0, 1, "cpu"):
            assert os.environ[CUBLAS] == ":16:8"
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
            assert not torch.utils.deterministic.fill_uninitialized_memory
        assert settings() == before
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card")
def test_on_a_card_the_generator_is_as_before_and_tf32_changes_products():
    state = torch.cuda.get_rng_state()
    one, other = torch.rand(2, 512, 512, device="cuda", generator=torch.Generator("cuda").manual_seed(0))
    found = {}
    for precision in ("fp32", "tf32"):
        with reproducible(0, 1, "cuda", precision):
            torch.rand(3, device="cuda")
            found[precision] = (one @ other).cpu()
    assert torch.equal(torch.cuda.get_rng_state(), state)
    exact = (one.cpu().double() @ other.cpu().double()).float()
    torch.testing.assert_close(found["fp32"], exact, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(found["tf32"], exact, rtol=1e-2, atol=1e-1)
    if torch.cuda.get_device_capability() >= (8, 0):
        assert not torch.equal(found["fp32"], found["tf32"])
