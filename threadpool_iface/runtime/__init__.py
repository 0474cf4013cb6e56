"""Running on chosen cores: `pin` for a block or function, `Task` beside the caller."""
