"""The command line that repeats a run."""

import json
import shlex

from loadgen.guard import format_usd
from loadgen.options import ALLOW_REMOTE_FLAG, OPTIONS, Options


def repeat_command(
    options: Options,
    *,
    locustfile: str,
    headless: bool,
    users: int | None,
    run_time_s: int | None,
) -> str:
    """Return a shell command that repeats the run, wherever its options came from.

    What has its default is left out, and so is the run id: ids of a run can't be used again.
    """
    words = ["locust", "-f", locustfile, "--host", options.host]
    if headless:
        words.append("--headless")
    if users is not None:
        words += ["-u", str(users)]
    if run_time_s is not None:
        words += ["-t", f"{run_time_s}s"]
    texts = _texts(options)
    for spec in OPTIONS:
        text = texts.get(spec.flag, "")
        if text and text != spec.default:
            words += [spec.flag, text]
    if options.allow_remote:
        words.append(ALLOW_REMOTE_FLAG)
    return shlex.join(words)


def _texts(options: Options) -> dict[str, str]:
    limit = options.max_spend_nano_usd
    return {
        "--workflows": str(options.workflows),
        "--start-rate": f"{options.start_rate_per_s:g}",
        "--workflow": options.workflow,
        "--input": json.dumps(options.input),
        "--drain-timeout-s": f"{options.drain_timeout_s:g}",
        "--expect": options.expect,
        "--fake-llm-url": options.fake_llm_url,
        "--budget-url": options.budget_url,
        "--max-spend-usd": "" if limit is None else format_usd(limit),
        "--timeline": options.timeline or "",
        "--summary": options.summary or "",
    }
