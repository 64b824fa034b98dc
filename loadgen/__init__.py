"""Load on long-running workflows, with Locust.

`locustfile.py` is the edge that Locust loads; every other module is plain Python, imports neither
Locust nor gevent, and decides without I/O.
"""
