"""Tests of sidecar.components."""
