"""Tests of budget.store, on a real server."""
