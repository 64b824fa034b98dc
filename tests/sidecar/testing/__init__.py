"""`sidecar.testing`, as the tests of a user see it."""
