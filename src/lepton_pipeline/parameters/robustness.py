"""How inputs are perturbed to see what a model loses by it."""

from __future__ import annotations

from pydantic import Field

from lepton_pipeline.parameters.base import Declaration

# In per cent: of a deviation, of the rows, of the rows, of the letters.
NOISE, MISSING, UNSEEN, TYPOS = (5, 10, 20), (5, 20, 50), (5, 20, 50), (2, 5, 10)
STEPS, REACH = 20, 5
WORST = "worst_step"
PERTURBATIONS = {
    **{f"noise_{share}": f"noise of {share} % of a deviation" for share in NOISE},
    **{f"missing_{share}": f"{share} % of the values missing" for share in MISSING},
    **{f"unseen_{share}": f"{share} % of the categories never seen" for share in UNSEEN},
    "shift_up": "shifted up by one deviation",
    "shift_down": "shifted down by one deviation",
    **{f"typos_{share}": f"{share} % of the letters mistyped" for share in TYPOS},
    WORST: f"the worst of {STEPS} random steps within {REACH} % of a deviation",
}
"""Each perturbation in words, by its name in declarations, results and MLflow."""


class Robustness(Declaration):
    """Test rows that are scored again with perturbed columns."""

    rows: int = Field(
        2000, ge=100, description="test rows at most; more are taken only if these hold too few cases"
    )
    columns: int = Field(
        10, ge=0, description="columns that are also perturbed one at a time: the most important ones"
    )
