"""Tests of the transport, with the providers' own SDKs."""
