# shellcheck shell=bash
# A Docker engine of this test's own, in namespaces that take every process and mount of it along
# when they end. It sets up no NAT and no firewall rule: what it changes outside of its folder are
# bridges and one group of cgroups, and stop_engine removes them. One at a time on a machine, which
# may have other engines. It dies with the script, even by SIGKILL. Sourced by run.sh.

CGROUP=/runaway-compose-test
# Covered by a tmpfs where the engine looks: the machine's own settings and key, and a containerd
# of the machine, which dockerd would take for its own.
HIDDEN="/etc/docker /run/containerd"

made=()

start_engine() {
  mkdir "$work/engine"
  for each in $HIDDEN; do [ -d "$each" ] || { mkdir -p "$each" && made+=("$each"); }; done
  # shellcheck disable=SC2016 # the inner shell expands it
  setsid setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
    sh -c 'for each in $0; do mount -t tmpfs none "$each" || exit; done; exec "$@"' "$HIDDEN" \
    docker-init -s -- dockerd \
    --host "unix://$work/engine/docker.sock" --pidfile "$work/engine/pid" \
    --data-root "$work/engine/data" --exec-root "$work/engine/exec" \
    --cgroup-parent "$CGROUP" --bridge none \
    --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    >"$work/engine/log" 2>&1 9<&- &
  engine=$!
  export DOCKER_HOST=unix://$work/engine/docker.sock
  for _ in {1..300}; do
    docker version >/dev/null 2>&1 && return
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 5 "$work/engine/log" >&2
  return 1
}

# Succeed unless another run of this test holds the lock; it is a lock on a folder, not a file.
claim_engine() { exec 9</run && flock --nonblock 9; }

# End dockerd in order, or else the first process of its namespace, with which all others end.
stop_engine() {
  local first
  bridges=$(own_bridges)
  first=$(pgrep -P "$engine" || true)
  for signal in TERM KILL; do
    [ -z "$first" ] || kill -s "$signal" "$first" 2>/dev/null || true
    for _ in {1..150}; do
      kill -0 "$engine" 2>/dev/null || break 2
      sleep 0.1
    done
  done
  for each in $bridges; do ip link delete "$each" 2>/dev/null || true; done
  cgroups | xargs -r rmdir
  [ ${#made[@]} -eq 0 ] || rmdir "${made[@]}"
}

# Print the names of the bridges of this engine's networks, given or made up by the engine.
own_bridges() {
  docker network ls --quiet --no-trunc --filter type=custom | xargs -r docker network inspect \
    --format '{{or (index .Options "com.docker.network.bridge.name") (printf "br-%.12s" .Id)}}'
}

# Print the engine's cgroups, the innermost first.
cgroups() { find /sys/fs/cgroup -depth -type d -path "*$CGROUP*"; }

# Print what stop_engine should have ended or removed.
left_of_engine() {
  [ -n "${engine:-}" ] || return 0
  ps -o pid=,args= -p "$engine" || true
  grep -F "$work/" /proc/mounts || true
  for each in $COMPOSE_TEST_BRIDGE ${bridges:-}; do
    ip -brief link show "$each" 2>/dev/null || true
  done
  cgroups
}
