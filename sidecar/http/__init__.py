"""The HTTP face of the sidecar: one module a group of Dapr's routes."""
