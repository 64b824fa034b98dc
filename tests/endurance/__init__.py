"""Kills the sidecar, the scheduler and the workers under load, and counts what was lost."""
