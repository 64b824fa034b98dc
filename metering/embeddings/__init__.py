"""Embeddings as OpenAI spells them: request and usage. They have no output tokens."""

from metering.embeddings.answer import read_usage
from metering.embeddings.request import EmbeddingRequest, parse_embedding_request

__all__ = ["EmbeddingRequest", "parse_embedding_request", "read_usage"]
