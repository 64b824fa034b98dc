"""Tests of budget.control, through a running gateway."""
