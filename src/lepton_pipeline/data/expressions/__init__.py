"""Expressions of declarations: parsed, checked and computed on a table."""
