"""What a version says about the log of the rows that it scores as a server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from lepton_pipeline.errors import ConfigurationError, closest
from lepton_pipeline.parameters import Dataset, ServedLog, code_text

_HASH_CHARACTERS = 32


@dataclass(frozen=True)
class Logged:
    """The declared log, and the columns that name a row; these are kept where a client sends them."""

    log: ServedLog
    id: str | None = None
    time: str | None = None

    @classmethod
    def of(cls, dataset: Dataset, inputs: Iterable[str]) -> Self | None:
        """As declared, None without a log; `inputs` are the columns that the model reads.

        Raises ConfigurationError for a masked column that is never kept, which may be a typing error.
        """
        if dataset.served_log is None:
            return None
        known = [*inputs, *(name for name in (dataset.id, dataset.time) if name is not None)]
        for key in ("hashed", "dropped"):
            for name in getattr(dataset.served_log, key):
                if name not in known:
                    raise ConfigurationError(
                        f"dataset.served_log.{key}: {name!r} is never kept, as the model does not read it; correct it "
                        f"or leave it out; {closest(name, known)}."
                    )
        return cls(dataset.served_log, dataset.id, dataset.time)


def hash_value(value: Any) -> str:
    """Hash of a value: equal for 1, 1.0 and "1"; whoever can list the values can look it up.

    >>> hash_value(1.0) == hash_value("1")
    True
    """
    return hashlib.sha256(code_text(value).encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]
