"""From clean rows to the arrays a model takes."""
