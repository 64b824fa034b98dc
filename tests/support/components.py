"""The component file of a workflow state store."""

from pathlib import Path

_COMPONENT = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: statestore
spec:
  type: state.redis
  version: v1
  metadata:
    - name: redisHost
      envRef: STATE_REDIS_HOST
    - name: actorStateStore
      value: "true"
    - name: ttlInSeconds
      value: "{ttl_s}"
"""


def write_component(directory: Path, ttl_s: int = -1) -> None:
    """Write it at once, as an editor does that renames; -1 is without expiry."""
    directory.mkdir(exist_ok=True)
    draft = directory / "statestore.draft"
    draft.write_text(_COMPONENT.format(ttl_s=ttl_s))
    draft.replace(directory / "statestore.yaml")
