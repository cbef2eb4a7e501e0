"""What a client sends to a served model -> rows, or a refusal in one line."""
