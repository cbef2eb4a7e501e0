"""The neural networks of the model, and how they are trained."""
