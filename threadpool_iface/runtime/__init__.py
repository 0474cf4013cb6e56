"""Running on chosen cores."""
