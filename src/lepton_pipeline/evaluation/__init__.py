"""How good a model is, with intervals, and the pictures of it."""
