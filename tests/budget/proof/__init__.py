"""Laws that only a crowd can break: many callers on two gateways, and the provider's books."""
