"""The state stores."""
