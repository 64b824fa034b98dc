# shellcheck shell=bash
# The images that can't be pulled where no registry can be reached. Sourced by run.sh.

# Begin to make a Debian with Python 3.11 and redis-server 7, in namespaces that take its processes
# and mounts along.
start_base() {
  unshare --mount --pid --fork --kill-child --mount-proc \
    debootstrap --variant=minbase \
    --include=python3,python3-venv,python3-pip,ca-certificates,redis-server \
    bookworm "$work/base" >"$work/debootstrap.log" 2>&1 9<&- &
  base=$!
}

finish_base() {
  wait "$base" || {
    tail -n 5 "$work/debootstrap.log" >&2
    return 1
  }
  base=
}

stop_base() {
  [ -n "${base:-}" ] || return 0
  kill -s KILL "$base" 2>/dev/null || true
  wait "$base" 2>/dev/null || true
}

# Give it the names of the two images that the compose file builds on.
import_base() {
  # The machine's own authorities, for a package index that only they vouch for.
  cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/" &&
    tar -C "$work/base" --exclude=./var/cache/apt --exclude=./var/lib/apt/lists -c . |
    docker import --change 'WORKDIR /data' - python:3.11-slim >/dev/null &&
    docker tag python:3.11-slim redis:7-alpine &&
    rm -rf "$work/base"
}

# Write a pip.conf that reaches the index which the machine's own pip uses.
write_pip_conf() {
  local index
  index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
  {
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n'
    [ -z "$index" ] || printf 'index-url = %s\n' "$index"
  } >"$COMPOSE_TEST_PIP_CONF"
}

build_own() { docker compose build --quiet; }

build_standins() {
  local version
  for version in "$@"; do
    DAPR_VERSION=$version docker compose --project-name standins --file tests/compose/standins.yaml \
      build --quiet || return
  done
}
