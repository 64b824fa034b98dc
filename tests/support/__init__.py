"""Real services on free ports for the tests: nothing of the project is mocked."""
