"""The sidecar, with the real SDK, scheduler and Redis around it."""
