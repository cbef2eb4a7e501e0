"""Choose the probability from which a row counts as positive."""

from __future__ import annotations

import numpy as np

from lepton_pipeline.errors import DataError


def best_f1_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the threshold with the highest F1 on the rows given.

    A row is positive where its probability is >= threshold. The threshold lies halfway between the lowest score that
    counts as positive and its lower neighbour (0 where there is none), so that a probability moved by a rounding error
    does not change sides. Of several best thresholds the highest is taken: it flags the fewest rows.

    Args:
        labels: 0 or 1, shape [rows]; the validation rows, never the rows that the model is judged on.
        probabilities: of the positive class, in [0, 1], shape [rows].

    Returns:
        The threshold, in [0, 1].

    Raises:
        DataError: no row is positive, so F1 is not defined.
    """
    positives = int(np.count_nonzero(labels))
    if positives == 0:
        raise DataError(
            f"0 of {len(labels)} rows are positive, so no threshold has an F1; give validation rows of both classes "
            "(a larger split.validation)."
        )
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    lower_neighbours = np.append(ranked[1:], 0.0)
    # A threshold cannot part equal scores: only the last row of each tie is a place to cut.
    cuts = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    found = np.cumsum(labels[order] != 0)[cuts]
    f1 = 2 * found / (cuts + 1 + positives)
    cut = cuts[np.argmax(f1)]
    kept, rejected = float(ranked[cut]), float(lower_neighbours[cut])
    middle = rejected + (kept - rejected) / 2
    # Between adjacent floating-point numbers there is no middle.
    return middle if middle > rejected else kept
