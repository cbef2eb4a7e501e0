"""Find repeated keys of any number of rows, by hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

# Expectations about them.
UNIQUE = ("column_values_to_be_unique", "compound_columns_to_be_unique")
_SECOND_KEY = "lepton_pipeline."


class UniqueKeys:
    """The keys of all rows, 16 or 24 bytes each, and some three times that while they are sorted.

    A single number has a hash of its own. Two other keys that differ collide with a probability of about
    2^-128. `ignore_row_if` in `arguments` says for several columns which rows with missing values to skip.
    """

    def __init__(self, columns: list[str], arguments: dict[str, Any]) -> None:
        self._columns = columns
        declared = str(arguments.get("ignore_row_if") or _DEFAULT)
        self._skip = "any_value_is_missing" if len(columns) == 1 else declared
        self._parts: list[tuple[npt.NDArray[Any], ...]] = []
        self.considered = 0

    def add(self, chunk: pd.DataFrame) -> None:
        """Take in rows; their index numbers them over all chunks."""
        keys = chunk[self._columns]
        missing = keys.isna()
        if self._skip == "any_value_is_missing":
            keys = keys[~missing.any(axis="columns")]
        elif self._skip == _DEFAULT:
            keys = keys[~missing.all(axis="columns")]
        self.considered += len(keys)
        hashes = [pd.util.hash_pandas_object(keys, index=False).to_numpy()]
        if len(self._columns) > 1 or keys.dtypes.iloc[0].kind not in "iufbmM":
            # In another order, for the hash of numbers has no key.
            turned = keys[self._columns[::-1]]
            hashes.append(pd.util.hash_pandas_object(turned, index=False, hash_key=_SECOND_KEY).to_numpy())
        self._parts.append((keys.index.to_numpy(), *hashes))

    def repeated(self) -> npt.NDArray[np.int64]:
        """All rows whose key is in another row, too, ascending; the keys are dropped."""
        rows, *hashes = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        self._parts = []
        order = np.argsort(hashes[0], kind="stable")
        ordered = hashes[0][order]
        same = ordered[1:] == ordered[:-1]
        candidates = order[np.r_[same, False] | np.r_[False, same]]
        again = pd.DataFrame({at: each[candidates] for at, each in enumerate(hashes)}).duplicated(keep=False)
        return np.sort(rows[candidates[again.to_numpy()]])


_DEFAULT = "all_values_are_missing"
