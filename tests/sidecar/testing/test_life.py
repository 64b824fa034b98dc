"""The processes beside a test, as the one that forked them sees them."""

import signal
import subprocess
import sys

import pytest

from sidecar.testing.errors import HostError
from sidecar.testing.life import Child

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def test_a_process_that_does_not_end_is_killed_and_told_of() -> None:
    """A test that stops its sidecar does not hang."""
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        child = Child("sidecar", process.pid)
        with pytest.raises(HostError, match=r"had not ended in .* and was killed"):
            child.end(signal.SIGTERM, patience_s=0.1)
        assert not child.running
