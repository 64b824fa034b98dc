"""A gateway in front of an LLM provider that never lets spend pass its cap."""
