"""`python -m tests.conformance`."""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conformance import declared
from tests.conformance.scenarios import SCENARIOS, by_name
from tests.conformance.table import print_table
from tests.conformance.targets import embedded

if __name__ == "__main__":
    args = sys.argv[1:]
    names = [a for a in args if not a[0].isdigit()]
    versions = [a for a in args if a[0].isdigit()] or ["1.16.1", "1.16.2", "1.18.3"]
    chosen = [by_name(n) for n in names] or list(SCENARIOS)
    d = Path(tempfile.mkdtemp(prefix="conf"))
    known = declared.read()
    with ThreadPoolExecutor(3) as pool:
        res = [r for rs in pool.map(lambda v: embedded.run(d, v, chosen, known), versions) for r in rs]
    print_table(res, {v: f"embedded (profile {v})" for v in versions})
