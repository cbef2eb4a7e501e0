"""Losses, ranks and intervals: each formula once, on numpy arrays."""
