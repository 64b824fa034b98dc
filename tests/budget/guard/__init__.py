"""Tests of the activity guard."""
