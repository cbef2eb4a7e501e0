"""The gate's decision in one word or two."""

from __future__ import annotations

PROMOTED, REFUSED, SAME = "promoted", "refused", "same as champion"


def verdict(promoted: bool | None) -> str:
    """Say what became of a version.

    Args:
        promoted: whether it became champion; None: the champion is the same model, so nothing changed.
    """
    return SAME if promoted is None else PROMOTED if promoted else REFUSED
