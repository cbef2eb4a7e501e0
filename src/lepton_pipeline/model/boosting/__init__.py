"""Gradient boosting, the trees of the model."""
