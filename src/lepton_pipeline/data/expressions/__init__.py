"""Expressions of declarations: parsing, checking, evaluation."""
