"""Money, prices, tokens, caller identity and wire shapes: the one vocabulary of both services."""
