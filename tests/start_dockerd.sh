#!/usr/bin/env bash
# Make a Docker daemon answer: install docker.io (Debian) and start dockerd where that is needed and allowed.
# Ends with 0 if `docker info` works, else says why not. A daemon that it starts keeps running.
set -euo pipefail

LOG=${TMPDIR:-/tmp}/netwright-dockerd.log

fail() { echo "no Docker daemon: $*" >&2; exit 1; }
answers() { docker info >/dev/null 2>&1; }

if ! command -v docker >/dev/null || ! command -v dockerd >/dev/null; then
  answers_remote=$(command -v docker >/dev/null && answers && echo yes || true)
  if [ -z "$answers_remote" ]; then
    [ "$(id -u)" = 0 ] || fail "docker is not installed, and only root can: sudo apt-get install docker.io"
    command -v apt-get >/dev/null || fail "docker is not installed, and this is no Debian system"
    echo "installing docker.io"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
  fi
fi
answers && exit 0
[ "$(id -u)" = 0 ] || fail "dockerd does not run (or you are not in the group docker); start it: sudo systemctl start docker"
if [ -d /run/systemd/system ]; then
  systemctl start docker || true
  answers && exit 0
fi

# Where gVisor is installed it becomes a runtime; an administrator's own settings are left alone.
settings=()
if [ ! -e /etc/docker/daemon.json ] && command -v runsc >/dev/null; then
  config=${TMPDIR:-/tmp}/netwright-dockerd.json
  arguments='"--platform=ptrace", "--network=none", "--ignore-cgroups"'
  echo "{\"runtimes\": {\"runsc\": {\"path\": \"$(command -v runsc)\", \"runtimeArgs\": [$arguments]}}}" > "$config"
  settings=(--config-file "$config")
fi

# Some machines have no iptables that works, some no overlay file system: then with less. No network is used.
for options in "" "--iptables=false --ip6tables=false --bridge=none" \
               "--iptables=false --ip6tables=false --bridge=none --storage-driver=vfs"; do
  echo "starting dockerd $options"
  # shellcheck disable=SC2086
  setsid nohup dockerd "${settings[@]}" $options >"$LOG" 2>&1 </dev/null &
  daemon=$!
  for _ in $(seq 60); do
    answers && exit 0
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.5
  done
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
done
tail -n 20 "$LOG" >&2
fail "dockerd does not start; the end of $LOG is above"
