"""A local LLM service that answers like a provider and meters every token and dollar."""
