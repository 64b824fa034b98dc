"""Plays what was recorded on real Dapr on any workflow sidecar, and says where it differs.

`python -m tests.conformance --help` says how; docs/conformance.md has the table.
"""
