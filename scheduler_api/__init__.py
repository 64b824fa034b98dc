"""The scheduler's job calls, and a client that lists and deletes jobs on every Dapr version."""
