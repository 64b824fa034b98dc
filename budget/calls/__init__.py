"""The data path: what happens to a call on its way to the provider and back."""
