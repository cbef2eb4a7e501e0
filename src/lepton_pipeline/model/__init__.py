"""The network, its training and the baselines it must beat."""
