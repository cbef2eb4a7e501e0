"""What several test modules need."""

from __future__ import annotations

import io
from collections.abc import Callable

import pandas as pd
import pytest

from lepton_pipeline.data.raw import RawFile
from lepton_pipeline.parameters import Dataset


@pytest.fixture
def raw_file() -> Callable[..., RawFile]:
    """Make a raw file of bytes or text."""

    def make(content: bytes | str, name: str = "table.csv") -> RawFile:
        content = content.encode() if isinstance(content, str) else content
        return RawFile(name, lambda: io.BytesIO(content))

    return make


@pytest.fixture
def dataset() -> Dataset:
    return Dataset(target="bought", positive="yes", id="id")


@pytest.fixture
def table() -> pd.DataFrame:
    """Forty rows, half of them positive."""
    return pd.DataFrame(
        {
            "id": range(40),
            "age": [20 + row for row in range(40)],
            "city": ["Oslo", "Rome"] * 20,
            "bought": ["yes", "no", "no", "yes"] * 10,
        }
    )
