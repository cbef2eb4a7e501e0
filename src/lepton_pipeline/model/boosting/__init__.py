"""Gradient boosting, the part of the model that trees are."""
