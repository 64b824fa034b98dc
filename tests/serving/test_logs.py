import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from serving.logs import configure_logs
configure_logs({"chatty": logging.ERROR})
structlog.get_logger("ours").info("started", port=1)
logging.getLogger("library").warning("careful %s", "now")
logging.getLogger("chatty").warning("not said")
try:
    raise ValueError("broken")
except ValueError:
    structlog.get_logger("ours").exception("failed")
"""


def test_every_line_is_one_json_object() -> None:
    """Our events, a library's lines and tracebacks each become one object with level and time."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30
    )
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("started", "info"),
        ("careful now", "warning"),
        ("failed", "error"),
    ]
    assert "ValueError: broken" in lines[2]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert ended.stdout == ""
