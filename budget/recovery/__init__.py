"""Journals of the gateways' own, and the rebuild of a ledger that Redis lost from them."""
