"""Requests to a served model -> rows, or a refusal in one line."""
