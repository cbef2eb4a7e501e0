"""What differs between binary, multiclass and regression: target, loss, metrics, predictions, words."""
