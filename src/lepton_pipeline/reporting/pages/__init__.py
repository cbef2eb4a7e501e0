"""The frame, the style sheet and the templates of every page."""
