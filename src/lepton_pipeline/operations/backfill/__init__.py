"""What a retraining policy would have done in the past, and what it would have been worth."""
