"""What people read of a run: one page, and the card of its model."""
