"""Tests of sidecar.engine."""
