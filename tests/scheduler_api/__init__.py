"""Tests of the client of the scheduler."""
