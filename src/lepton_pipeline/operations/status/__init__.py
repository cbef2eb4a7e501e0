"""Where all verticals stand, for whoever operates them."""
