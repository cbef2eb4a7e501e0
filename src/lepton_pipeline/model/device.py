"""Where torch computes, and how it is made to compute the same bits again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from lepton_pipeline.errors import ConfigurationError

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def choose_device(name: Literal["auto", "cpu", "cuda"]) -> str:
    """Resolve the declared device to "cpu" or "cuda".

    Raises:
        ConfigurationError: "cuda" is asked for and torch sees no card.
    """
    import torch

    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigurationError(
            f"training.device is 'cuda', but torch {torch.__version__} sees no CUDA card; check the driver "
            "(nvidia-smi) and that torch was installed with CUDA, or set training.device to auto or cpu."
        )
    if name == "auto":
        return "cuda" if available else "cpu"
    return name


@contextmanager
def cpu_threads(threads: int) -> Iterator[None]:
    """Let torch use this many CPU threads inside the block; sums depend on it, so results do too."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible(seed: int, threads: int, device: str) -> Iterator[None]:
    """Seed torch and hold it to deterministic algorithms inside the block; everything is as before afterwards.

    Args:
        seed: of torch's global generators.
        threads: CPU threads.
        device: "cpu" or "cuda".
    """
    import torch

    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get(CUBLAS)
    cards = list(range(torch.cuda.device_count())) if device == "cuda" else []
    with torch.random.fork_rng(devices=cards), cpu_threads(threads):
        try:
            # cuBLAS repeats its sums only with a workspace of fixed size (cuBLAS manual, "Results reproducibility").
            os.environ[CUBLAS] = workspace or ":4096:8"
            torch.use_deterministic_algorithms(True)
            torch.manual_seed(seed)
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
            if workspace is None:
                del os.environ[CUBLAS]
