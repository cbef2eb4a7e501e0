"""Meet the verticals there are, and make the next one."""
