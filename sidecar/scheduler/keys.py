"""Names jobs as Dapr's scheduler names them in etcd: segments joined by `||`.

`actorreminder||<namespace>||<actor type>||<actor id>||<name>` for a reminder of an actor,
`app||<namespace>||<app id>||<name>` for a job of an app.
Listing and deleting by metadata are prefix matches on these keys, in Dapr and here.
"""

import json
import re
from typing import Literal

import grpc

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.scheduler.errors import RequestError

SEPARATOR = "||"
_MAX_SEGMENT_BYTES = 253
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN.pattern}')"
)
_DROPPED = str.maketrans("", "", "_:- ")


def job_key(name: str, metadata: pb.JobMetadata) -> str:
    """Return the key of the job of that name and target."""
    return f"{target_prefix(metadata)}{name}"


def target_prefix(metadata: pb.JobMetadata) -> str:
    """Return what the keys of all jobs of exactly this target begin with."""
    _require_caller(metadata.namespace, metadata.app_id)
    match metadata.target.WhichOneof("type"):
        case "actor":
            actor = metadata.target.actor
            return _join("actorreminder", metadata.namespace, actor.type, actor.id, "")
        case "job":
            return _join("app", metadata.namespace, metadata.app_id, "")
        case _:
            raise _unknown_target()


def search_prefix(metadata: pb.JobMetadata, *, closed: bool) -> str:
    """Return the key prefix that a search by metadata stands for.

    An empty actor id means every actor. `closed` ends the prefix at a separator, so that its last
    segment is matched as a whole.
    """
    _require_caller(metadata.namespace, metadata.app_id)
    match metadata.target.WhichOneof("type"):
        case "actor":
            actor = metadata.target.actor
            segments = ["actorreminder", metadata.namespace, actor.type]
            segments += [actor.id] if actor.id else []
        case "job":
            segments = ["app", metadata.namespace, metadata.app_id]
        case _:
            raise _unknown_target()
    return _join(*segments, *([""] if closed else []))


def pool(metadata: pb.JobMetadata) -> str:
    """Return the name of the group of sidecars that take this job: an actor type, or an app."""
    if metadata.target.WhichOneof("type") == "actor":
        return _join("actorreminder", metadata.namespace, metadata.target.actor.type)
    return _join("app", metadata.namespace, metadata.app_id)


def is_of_actors(pool_name: str) -> bool:
    """Tell whether a pool is an actor type's."""
    return pool_name.startswith(_join("actorreminder", ""))


def watched_pools(initial: pb.WatchJobsRequestInitial) -> frozenset[str]:
    """Return the pools that a sidecar belongs to, by the first message of its watch."""
    _require_caller(initial.namespace, initial.app_id)
    kinds = set(initial.accept_job_types) or {
        pb.JOB_TARGET_TYPE_JOB,
        pb.JOB_TARGET_TYPE_ACTOR_REMINDER,
    }
    pools: set[str] = set()
    if pb.JOB_TARGET_TYPE_ACTOR_REMINDER in kinds:
        pools.update(
            _join("actorreminder", initial.namespace, each) for each in initial.actor_types
        )
    if pb.JOB_TARGET_TYPE_JOB in kinds:
        pools.add(_join("app", initial.namespace, initial.app_id))
    return frozenset(pools)


def check_key(key: str, rule: Literal["subdomain", "no_separators"]) -> None:
    """Refuse a key that Dapr's scheduler refuses, in its words (recorded on 1.16.1 and 1.18.3)."""
    if rule == "no_separators":
        if any(each in key for each in "/\\#?"):
            raise _invalid_key(key, ["must not contain '/', '\\', '#' or '?'"])
        return
    shown = key.translate(_DROPPED)
    for segment in shown.lower().split(SEPARATOR):
        faults = []
        if len(segment.encode()) > _MAX_SEGMENT_BYTES:
            faults.append(f"must be no more than {_MAX_SEGMENT_BYTES} characters")
        if _SUBDOMAIN.fullmatch(segment) is None:
            faults.append(_SUBDOMAIN_TEXT)
        if faults:
            raise _invalid_key(shown, faults)


def _join(*segments: str) -> str:
    return SEPARATOR.join(segments)


def _require_caller(namespace: str, app_id: str) -> None:
    if not namespace or not app_id:
        raise RequestError(
            grpc.StatusCode.INVALID_ARGUMENT, "missing namespace or appID in request"
        )


def _unknown_target() -> RequestError:
    return RequestError(grpc.StatusCode.UNKNOWN, "unknown job type: <nil>")


def _invalid_key(key: str, faults: list[str]) -> RequestError:
    quoted = json.dumps(key, ensure_ascii=False)
    return RequestError(
        grpc.StatusCode.UNKNOWN, f"job name is invalid {quoted}: {', '.join(faults)}"
    )
