"""`python -m tests.conformance`."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conformance import declared, scale
from tests.conformance.errors import ConformanceError
from tests.conformance.options import Options, parse
from tests.conformance.result import Result
from tests.conformance.scenarios import SCENARIOS, Scenario, by_name
from tests.conformance.table import as_json, as_markdown, into, print_table
from tests.conformance.targets import embedded, external

COULD_NOT_RUN = 2


def main(arguments: Sequence[str]) -> int:
    """Run the driver and return its exit code."""
    try:
        options = parse(arguments)
        if options.list:
            _print_list()
            return 0
        if options.scale:
            return _scale(options)
        scenarios = [by_name(each) for each in options.scenarios]
        with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
            results, runtimes = run(options.keep or Path(directory), options, scenarios)
    except (ConformanceError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return COULD_NOT_RUN
    print_table(results, runtimes)
    if options.json:
        options.json.write_text(as_json(results, runtimes))
    if options.markdown:
        old = options.markdown.read_text() if options.markdown.exists() else ""
        options.markdown.write_text(into(old, as_markdown(results, runtimes)))
    return 0 if all(each.is_fine for each in results) else 1


def run(
    directory: Path, options: Options, scenarios: Sequence[Scenario]
) -> tuple[list[Result], Mapping[str, str]]:
    """Play scenarios; return the results, and by version which runtime answered."""
    known = declared.read()
    if options.grpc is not None:
        return external.run(directory, options, scenarios, known)
    with ThreadPoolExecutor(len(options.versions)) as pool:
        played = list(
            pool.map(lambda each: embedded.run(directory, each, scenarios, known), options.versions)
        )
    results = [one for each, _ in played for one in each]
    return results, {
        version: runtime for version, (_, runtime) in zip(options.versions, played, strict=True)
    }


def _scale(options: Options) -> int:
    """Play the rows of the runaway at scale, one after the other, on stacks of their own."""
    counted = []
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        for row in scale.rows():
            if row.version in options.versions:
                print(f"{row.name} ({row.version}) ...", flush=True)  # noqa: T201
                counted.append(embedded.run_row(options.keep or Path(directory), row))
                scale.print_rows(counted[-1:])
    scale.print_rows(counted)
    return 0 if all(each.is_as_recorded for each in counted) else 1


def _print_list() -> None:
    for each in SCENARIOS:
        needs = f"; needs {', '.join(sorted(each.needs))}" if each.needs else ""
        print(f"{each.name}: recorded on {', '.join(each.versions())}{needs}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
