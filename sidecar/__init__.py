"""The embedded Dapr workflow sidecar and its scheduler: the real protocol on a bare machine."""
