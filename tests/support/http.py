"""One TLS context for the HTTP clients of all tests.

httpx makes a context for each client, and so for each `httpx.get`, though all speak plain HTTP:
20 ms of CPU, which a loop that waits for a service takes from that service.
"""

import ssl
from typing import Final

import httpx

SHARED_TLS: Final[ssl.SSLContext] = httpx.create_ssl_context()
