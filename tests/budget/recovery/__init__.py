"""Tests of journals and of rebuilds from them."""
