#!/usr/bin/env bash
# Runs docker-compose.yml and reproduce_issue.sh on a real Docker engine, with stand-ins for Dapr's
# images. It needs root on Debian and no registry; it brings an engine and images of its own, and
# leaves behind nothing but what apt and go keep. Where no engine can be had it says so in one line
# and succeeds.
set -euo pipefail
cd "$(dirname "$0")/../.."

LIMIT_S=480
COMPOSE_VERSION=v2.29.7
VULNERABLE=1.16.1
FIXED=1.16.2

if [ -z "${COMPOSE_TEST_BOUNDED:-}" ]; then
  exec env COMPOSE_TEST_BOUNDED=1 timeout --signal TERM --kill-after 60 "$LIMIT_S" \
    tests/compose/run.sh "$@"
fi

work=$(mktemp -d)
export TMPDIR=$work
export DOCKER_CONFIG=$work/docker COMPOSE_PROJECT_NAME=runaway-compose-test
export COMPOSE_FILE=docker-compose.yml:tests/compose/engine.override.yaml
export COMPOSE_TEST_BRIDGE=rwcompose$((RANDOM % 10000)) COMPOSE_TEST_PIP_CONF=$work/pip.conf
. tests/compose/engine.sh
. tests/compose/images.sh
. tests/compose/ports.sh

fail() {
  printf 'compose: FAILED: %s\n' "$*" >&2
  exit 1
}

not_run() {
  printf 'compose: NOT RUN ON AN ENGINE, ONLY CHECKED AS A FILE: %s\n' "$*" >&2
  exit 0
}

# Run a command and print how long it took.
step() {
  local what=$1 began=$EPOCHREALTIME
  shift
  "$@" || return
  awk -v from="$began" -v to="$EPOCHREALTIME" -v what="$what" \
    'BEGIN { printf "compose: %6.1f s  %s\n", to - from, what }'
}

end() {
  local code=$? left
  trap - EXIT
  trap '' HUP INT TERM
  stop_base
  [ -z "${engine:-}" ] || step "end the engine" stop_engine
  left=$(left_of_engine)
  rm -rf "$work" || code=1
  if [ -n "$left" ]; then
    printf 'compose: FAILED: left behind:\n%s\n' "$left" >&2
    code=1
  fi
  exit "$code"
}
trap end EXIT
trap 'fail "ended by a signal, or not done within $LIMIT_S s"' HUP INT TERM

install_packages() {
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o DPkg::Lock::Timeout=120 \
    install --yes --no-install-recommends docker.io debootstrap iproute2 >"$work/apt.log" 2>&1 || {
    tail -n 5 "$work/apt.log" >&2
    return 1
  }
}

install_plugin() {
  mkdir -p "$DOCKER_CONFIG/cli-plugins"
  GOBIN=$work/bin go install \
    -ldflags "-X github.com/docker/compose/v2/internal.Version=$COMPOSE_VERSION" \
    "github.com/docker/compose/v2/cmd@$COMPOSE_VERSION" 2>"$work/go.log" || {
    tail -n 5 "$work/go.log" >&2
    return 1
  }
  mv "$work/bin/cmd" "$DOCKER_CONFIG/cli-plugins/docker-compose"
}

has() { command -v "$1" >/dev/null; }
has_all() { for each in "$@"; do has "$each" || return; done; }
has_compose() { docker compose version >/dev/null 2>&1; }

# Nothing of a stack may be there after it was taken down; images are.
require_nothing_left() {
  local left
  left=$(docker ps --all --quiet && docker volume ls --quiet && own_bridges)
  [ -z "$left" ] || fail "a stack left behind: $left"
}

# $1: version; $2: expected exit code; $3: how the last line must begin.
expect_verdict() {
  local code=0 verdict
  # As the file's own project leaves it when it is taken down without --volumes.
  docker volume create runaway_budget >/dev/null
  env --unset=COMPOSE_PROJECT_NAME DAPR_VERSION="$1" OBSERVE_S=20 ./reproduce_issue.sh |
    tee "$work/verdict.log" || code=$?
  verdict=$(grep -F REPRODUCED "$work/verdict.log" || true)
  [ "$code" -eq "$2" ] || fail "reproduce_issue.sh ended with $code, not $2, on $1"
  [[ $verdict == "$3 on stand-in $1 "* ]] || fail "the verdict on $1 is: $verdict"
  docker volume rm runaway_budget >/dev/null || fail "reproduce_issue.sh deleted another's volume"
  require_nothing_left
}

# A given project with a volume, be it one that compose did not make, is refused and left alone.
expect_refusal() {
  local code label=com.docker.compose.project=$COMPOSE_PROJECT_NAME volume made
  for made in "${COMPOSE_PROJECT_NAME}_budget" "--label=$label"; do
    code=0
    volume=$(docker volume create "$made")
    ./reproduce_issue.sh 2>"$work/refusal.log" || code=$?
    [ "$code" -eq 2 ] && grep -q "has containers or volumes" "$work/refusal.log" ||
      fail "reproduce_issue.sh ended with $code beside volume $volume: $(<"$work/refusal.log")"
    docker volume rm "$volume" >/dev/null || fail "volume $volume is gone"
  done
}

# The lab's own run of the compose file: one arm, small.
expect_lab_verdict() {
  ./runaway reproduce --runtime compose --profile "$VULNERABLE" --arm off --workflows 2 --observe 15 \
    >"$work/lab.log" 2>&1 || {
    cat "$work/lab.log" >&2
    fail "./runaway reproduce --runtime compose"
  }
  cat "$work/lab.log"
  grep -q "^REPRODUCED" "$work/lab.log" || fail "the lab did not say REPRODUCED"
  require_nothing_left
}

[ "$(id -u)" -eq 0 ] || not_run "it takes root"
! docker version >/dev/null 2>&1 ||
  not_run "an engine runs here, and stand-ins don't belong on it; try ./reproduce_issue.sh on it"
claim_engine || not_run "this test runs on this machine already"
if ! has_all dockerd docker docker-init debootstrap ip; then
  has apt-get || not_run "no dockerd, and no apt to get it with"
  step "install the engine and debootstrap" install_packages || not_run "apt can't install them"
fi
start_base
has_compose || step "build the compose plugin" install_plugin ||
  not_run "no compose v2, and it can't be built"
step "make the base image (beside that)" finish_base || not_run "debootstrap has no Debian for us"
step "start the engine" start_engine || not_run "dockerd does not come up"

choose_ports || fail "no eight free ports"
write_pip_conf
step "import the base image" import_base
step "build the image of the services" build_own
step "build the stand-ins" build_standins "$VULNERABLE" "$FIXED"
step "reproduce_issue.sh on a project that is there" expect_refusal
step "reproduce_issue.sh on a vulnerable version" expect_verdict "$VULNERABLE" 0 REPRODUCED
step "reproduce_issue.sh on a fixed version" expect_verdict "$FIXED" 1 "NOT REPRODUCED"
step "./runaway reproduce --runtime compose" expect_lab_verdict
printf 'compose: passed in %d s\n' "$SECONDS"
