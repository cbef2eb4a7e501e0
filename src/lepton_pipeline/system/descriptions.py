"""JSON descriptions with a format number, and arrays beside them, without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_pipeline.errors import DataError

if TYPE_CHECKING:
    import numpy as np


def write_description(path: Path, description: Mapping[str, Any]) -> None:
    """Write what JSON can hold, with folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as safetensors; not by `save_file`, whose files no other user can read."""
    from safetensors.numpy import save

    path.write_bytes(save(arrays))


def read_description(path: Path, expected: int) -> Any:
    """Read what `write_description` wrote; a `DataError` says that its format is another one."""
    description = json.loads(path.read_text(encoding="utf-8"))
    require_format(path, description, expected)
    return description


def require_format(path: Path, description: Mapping[str, Any], expected: int) -> None:
    """Raise `DataError` unless a description has the expected format."""
    if description["format"] != expected:
        raise DataError(
            f"{path} has format {description['format']!r}, this version reads {expected}; "
            "use the version of lepton_pipeline that wrote it, or train again."
        )
