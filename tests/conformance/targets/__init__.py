"""Where the sidecars under test come from: an address, or the embedded stack."""
