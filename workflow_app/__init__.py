"""A FastAPI app with Dapr workflows whose activities call an LLM, as a user would write it."""
