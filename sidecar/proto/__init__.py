"""Generated stubs of the stream between the sidecar and its own scheduler."""
