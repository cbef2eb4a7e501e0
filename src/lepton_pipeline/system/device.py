"""Device, precision and determinism of torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from lepton_pipeline.errors import ConfigurationError

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
Device = Literal["auto", "cpu", "cuda"]


def choose_device(name: Device) -> str:
    """Resolve the declared device; a `ConfigurationError` says that torch sees no CUDA card."""
    import torch

    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigurationError(
            f"training.device is 'cuda', but torch {torch.__version__} sees no CUDA card; check the driver "
            "(nvidia-smi) and that torch was installed with CUDA, or set training.device to auto or cpu."
        )
    return ("cuda" if available else "cpu") if name == "auto" else name


def choose_precision(
    name: Literal["auto", "fp32", "tf32", "bf16"], device: str
) -> Literal["fp32", "tf32", "bf16"]:
    """Resolve the precision of matrix products: bf16 only on a card that supports it, fp32 on a CPU."""
    import torch

    if device == "cpu":
        return "fp32"
    available = torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "bf16" and not available:
        raise ConfigurationError(
            f"training.precision is 'bf16', but {torch.cuda.get_device_name()} does not compute in it; "
            "set training.precision to auto, tf32 or fp32."
        )
    return ("bf16" if available else "fp32") if name == "auto" else name


@contextmanager
def cpu_threads(threads: int) -> Iterator[None]:
    """Set torch's CPU threads inside the block; sums, and so results, depend on them."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible(seed: int, threads: int, device: str, precision: str = "fp32") -> Iterator[None]:
    """Seed torch and require deterministic algorithms inside the block; bf16 is left to the code inside."""
    import torch

    products = torch.get_float32_matmul_precision()
    # A module that makes itself an object when it is imported, which type checkers do not see.
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get(CUBLAS)
    cards = list(range(torch.cuda.device_count())) if device == "cuda" else []
    with torch.random.fork_rng(devices=cards), cpu_threads(threads):
        try:
            # cuBLAS needs a workspace of fixed size (manual, "Results reproducibility").
            os.environ[CUBLAS] = workspace or ":4096:8"
            torch.use_deterministic_algorithms(True)
            # Memory that is asked for unfilled is always written before it is read here.
            memory.fill_uninitialized_memory = False
            torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
            torch.manual_seed(seed)
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
            memory.fill_uninitialized_memory = filled
            torch.set_float32_matmul_precision(products)
            if workspace is None:
                del os.environ[CUBLAS]
