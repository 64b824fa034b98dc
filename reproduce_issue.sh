#!/bin/sh
# The incident on Docker, step by step as in its public reproduction: start the workflow `hello`,
# kill Redis and the sidecar together, wait ten seconds, start both, and count what runs again.
#
#   DAPR_VERSION=1.16.2 OBSERVE_S=30 ./reproduce_issue.sh
#
# Exit code: 0 REPRODUCED (activities are executed without end), 1 NOT REPRODUCED (once more, then
# no more), 2 it could not run or can't tell. It takes down what it started, whatever happens: a
# compose project of its own, or that of COMPOSE_PROJECT_NAME, of which nothing may be there.
set -eu
cd "$(dirname "$0")"

OUTAGE_S=10
OBSERVE_S=${OBSERVE_S:-30}
# The longest wait for the stack, for the workflow, and for the app to find its sidecar again.
PATIENCE_S=120
# The last part of the window, in which a runaway must still go on.
TAIL_S=10
INSTANCE=hello-$(date +%s)-$$
COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-runaway-reproduce-$$}
export COMPOSE_PROJECT_NAME

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

cannot() {
  printf 'UNKNOWN: %s\n' "$*" >&2
  exit 2
}

case $OBSERVE_S in
  *[!0-9]* | '') cannot "OBSERVE_S=$OBSERVE_S: give whole seconds" ;;
esac
[ "$OBSERVE_S" -ge $((2 * TAIL_S)) ] || cannot "OBSERVE_S=$OBSERVE_S: give at least $((2 * TAIL_S))"

if docker compose version >/dev/null 2>&1; then
  compose() { docker compose "$@"; }
else
  case $(docker-compose version --short 2>/dev/null || true) in
    '' | 1.*) cannot "this needs Docker with Compose v2, as docker compose or docker-compose" ;;
  esac
  compose() { docker-compose "$@"; }
fi
command -v curl >/dev/null || cannot "this needs curl"

get() { curl --noproxy '*' -fsS -m 5 "$@"; }
address() { printf 'http://%s' "$(compose port "$1" "$2")"; }

# Call a command until it succeeds; $1: what is waited for.
wait_until() {
  what=$1
  shift
  deadline=$(($(date +%s) + PATIENCE_S))
  until "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || cannot "waited $PATIENCE_S s for $what"
    sleep 0.3
  done
}

# Print the first field named $1 of the JSON that comes in.
field() { tr '{,}' '\n\n\n' | sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\"]*\).*/\1/p" | head -n 1; }

# Print `<task id> <run> <cursor>` of each execution of the workflow's activities that ended after
# the cursor $1; the app counts the runs of a task.
executions() {
  get "$app/executions?after=$1&limit=10000" | tr '{' '\n' | awk -v instance="$INSTANCE" '
    function field(name) {
      if (!match($0, "\"" name "\": *\"?[^,\"}]*")) return ""
      text = substr($0, RSTART, RLENGTH)
      sub(/^[^:]*: *"?/, "", text)
      return text
    }
    field("instance") == instance { print field("task_id"), field("run"), field("seq") }'
}

# Print the cursor behind all that has ended; $1: an earlier one.
cursor() {
  get "$app/executions?after=$1&limit=10000" | field next | grep . ||
    cannot "the app does not say what has ended"
}
# The total's fields come first, those of its parts after it.
spent() { get "$fake_llm/spend" | field "$1"; }
first_round_is_over() { [ "$(executions 0 | wc -l)" -ge 3 ]; }
calls_are_in_flight() { get "$app/workflows/$INSTANCE" | grep -q '"in_flight":[1-9]'; }
# Print those after the loss that are not the first of their task. A first one may end after it
# too: it was in flight, or waited for a thread of the app.
executed_again() { executions "$before" | awk '$2 > 1'; }
something_ran_again() { [ -n "$(executed_again)" ]; }

end() {
  code=$?
  trap - EXIT
  trap '' HUP INT TERM
  say "taking everything down"
  compose down --volumes --remove-orphans >"$log" 2>&1 || cat "$log" >&2
  rm -f "$log"
  exit "$code"
}

# Print what the engine has of the project; a volume may bear its name without being labelled.
of_project() {
  label=com.docker.compose.project=$COMPOSE_PROJECT_NAME
  docker ps --all --quiet --filter "label=$label" &&
    docker volume ls --quiet --filter "label=$label" &&
    docker volume ls --quiet --filter "name=^${COMPOSE_PROJECT_NAME}_"
}

there=$(of_project) || cannot "docker does not say what is there: see the line above"
[ -z "$there" ] ||
  cannot "project $COMPOSE_PROJECT_NAME has containers or volumes, which this would delete:" \
    "give another COMPOSE_PROJECT_NAME, or delete them yourself (docker compose down --volumes)"
say "for commands beside this: export COMPOSE_PROJECT_NAME=$COMPOSE_PROJECT_NAME"
log=$(mktemp)
trap end EXIT
trap 'exit 2' HUP INT TERM

say "building the image"
compose build --quiet || cannot "the image can't be built: see the lines above"
say "bringing the stack up (Dapr ${DAPR_VERSION:-1.16.1})"
compose up --detach --quiet-pull --wait --wait-timeout "$PATIENCE_S" >"$log" 2>&1 || {
  tail -n 3 "$log" >&2
  compose logs --tail 5 >&2
  cannot "the stack did not come up: see the lines above; docs/compose.md says how to move a port"
}
app=$(address fastapi 8999)
fake_llm=$(address fake-llm 8001)
sidecar=$(address dapr 3500)
version=$(get "$sidecar/v1.0/metadata" | field runtimeVersion)
say "the sidecar says that it is: $version"

say "starting workflow $INSTANCE: 10 rounds of 3 parallel LLM calls"
get -X POST "$app/workflow/hello" -H 'content-type: application/json' \
  -d "{\"instance_id\": \"$INSTANCE\"}" >/dev/null || cannot "the workflow did not start"
wait_until "the workflow's first round" first_round_is_over
wait_until "calls in flight" calls_are_in_flight

say "killing redis and dapr with calls in flight"
compose kill redis dapr >/dev/null 2>&1
say "waiting $OUTAGE_S s"
sleep "$OUTAGE_S"
before=$(cursor 0)
calls_before=$(spent calls)
say "until here: $calls_before paid calls, \$$(spent usd)"

say "starting both again"
compose start redis dapr >/dev/null 2>&1 || cannot "redis and dapr did not start again"
wait_until "an activity to run again: was none in flight at the kill?" something_ran_again
say "an activity has run again; watching for $OBSERVE_S s"
sleep $((OBSERVE_S - TAIL_S))
tail_from=$(cursor "$before")
sleep "$TAIL_S"

# Of each activity that ran again: how often in all, and in the last seconds.
counts=$(executed_again | awk -v tail_from="$tail_from" '
  { all[$1]++; total++; if ($3 > tail_from) late++ }
  END {
    for (id in all) {
      again++
      if (!least || all[id] < least) least = all[id]
      if (all[id] > most) most = all[id]
    }
    print again + 0, total + 0, least + 0, most + 0, late + 0
  }')
read -r again total least most late <<COUNTS
$counts
COUNTS

say "the last lines of the app and its sidecar:"
compose logs --tail 3 fastapi dapr
paid=$(($(spent calls) - calls_before))
found="$again activities ran again, $total executions in all ($least to $most each), $late in the \
last $TAIL_S s; $paid more paid calls, $(spent duplicate_calls) duplicates, \$$(spent usd) in all"

if [ "$most" -ge 3 ] && [ "$late" -gt 0 ]; then
  printf 'REPRODUCED on %s: %s\n' "$version" "$found"
elif [ "$most" -eq 1 ] && [ "$late" -eq 0 ]; then
  printf 'NOT REPRODUCED on %s: %s\n' "$version" "$found"
  exit 1
else
  cannot "neither once nor without end on $version: $found"
fi
