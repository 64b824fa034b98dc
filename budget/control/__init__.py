"""The control API: what people and programs see of the budget, and what they decide."""
