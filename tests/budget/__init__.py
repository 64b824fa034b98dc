"""Tests of the gateway against a real Redis-protocol server and a small provider of its own."""
