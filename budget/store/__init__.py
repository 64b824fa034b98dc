"""The budget in Redis: the functions, their calls, and what is read of its keys."""
