"""Inspect the verticals of a project and draft new ones."""
