"""Tests of budget.calls, through a running gateway."""
