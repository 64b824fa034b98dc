"""Load on long-running workflows, with Locust."""
