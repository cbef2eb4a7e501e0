"""From raw files to clean, divided rows."""
