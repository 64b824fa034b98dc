# shellcheck shell=bash
# Ports for one stack beside whatever else runs on this machine. Sourced by run.sh.

# Give every published port a free one; a shuffle names none twice.
choose_ports() {
  local port names=(APP FAKE_LLM BUDGET STATE_REDIS BUDGET_REDIS SIDECAR_HTTP SIDECAR_GRPC SCHEDULER)
  for port in $(shuf -i 20000-31999); do
    ! (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue
    export "${names[0]}_PORT=$port"
    names=("${names[@]:1}")
    [ ${#names[@]} -gt 0 ] || return 0
  done
  return 1
}
