"""Whether what a champion was trained on still holds: its inputs, its scores and its quality on new rows."""
