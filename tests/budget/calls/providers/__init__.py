"""Tests of budget.calls.providers."""
