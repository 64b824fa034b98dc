"""Dapr's component files: read as daprd reads them, and followed while they are edited."""
