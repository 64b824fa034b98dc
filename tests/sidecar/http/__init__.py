"""Tests of the sidecar's HTTP routes."""
