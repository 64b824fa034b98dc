"""`runaway report`: renders the pages of a kept run again."""

from lab.errors import CannotRunError
from lab.kept_run import find_run, read_run
from lab.paths import runs_dir
from lab.printing import print_json, print_lines
from lab.report import write_pages
from lab.run_directory import verdict_document


def run_report(name: str | None, *, as_json: bool) -> None:
    """Render report.html and summary.md of a run, and print where they are.

    Raises:
        NoRunError: there is no such run, or none that can be rendered.
        CannotRunError: its folder takes no page.
    """
    kept = read_run(find_run(runs_dir(), name))
    try:
        report, summary = write_pages(kept.directory, kept.head, kept.verdict, "complete")
    except OSError as error:
        raise CannotRunError(
            f"the pages of a run can't be written to {kept.directory}: {error.strerror}"
        ) from None
    outcome = kept.verdict.outcome.value
    if as_json:
        pages = {"report": str(report), "summary": str(summary)}
        print_json({**verdict_document(kept.verdict), **pages})
        return
    print_lines(outcome, kept.verdict.sentence)
    print_lines(*kept.verdict.reasons)
    if kept.is_judged_otherwise:
        print_lines(f"judged anew: when the run ended it was {kept.first_verdict}")
    print_lines(f"report: {report}", f"summary: {summary}")
