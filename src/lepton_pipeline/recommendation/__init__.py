"""What to offer whom: interactions, candidates, features of pairs, and offers with reasons."""
