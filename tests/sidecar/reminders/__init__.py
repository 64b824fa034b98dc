"""Tests of sidecar.reminders."""
