#!/usr/bin/env bash
# A private PostgreSQL server for tests: Debian's package (installed where it is missing and root asks), a cluster in a
# temporary folder, loopback only, a password of its own.
#   start_postgres.sh start          prints "FOLDER URL"
#   start_postgres.sh stop FOLDER    stops the server and removes the folder
set -euo pipefail

fail() { echo "no PostgreSQL: $*" >&2; exit 1; }

find_bin() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
  [ -n "$found" ] || found=$(command -v initdb >/dev/null && dirname "$(readlink -f "$(command -v initdb)")" || true)
  [ -x "$found/initdb" ] && echo "$found" || true
}

# PostgreSQL refuses root: then everything runs as the user of Debian's package.
as_server() {
  if [ "$(id -u)" = 0 ]; then (cd / && setpriv --reuid postgres --regid postgres --clear-groups -- "$@"); else "$@"; fi
}

start() {
  local bin folder port
  bin=$(find_bin)
  if [ -z "$bin" ]; then
    [ "$(id -u)" = 0 ] || fail "it is not installed, and only root can: sudo apt-get install postgresql"
    command -v apt-get >/dev/null || fail "it is not installed, and this is no Debian system"
    echo "installing postgresql" >&2
    apt-get update -qq >&2
    # The package must not start a server of its own.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
    bin=$(find_bin)
    [ -n "$bin" ] || fail "the package postgresql has brought no server"
  fi
  folder=$(mktemp -d "${TMPDIR:-/tmp}/netwright-postgres-XXXXXX")
  chmod 711 "$folder"
  head -c 18 /dev/urandom | base64 | tr -d '/+=\n' >"$folder/password"
  if [ "$(id -u)" = 0 ]; then chown -R postgres:postgres "$folder"; fi
  as_server "$bin/initdb" -D "$folder/data" -U netwright -E UTF8 --locale=C.UTF-8 -A scram-sha-256 \
    --pwfile="$folder/password" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; fail "initdb failed"; }
  for _ in $(seq 20); do
    port=$((20000 + RANDOM % 20000))
    if as_server "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 60 start \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" >/dev/null 2>&1; then
      echo "$folder postgresql+psycopg://netwright:$(cat "$folder/password")@127.0.0.1:$port/postgres"
      return
    fi
    grep -q "in use" "$folder/server.log" || break
  done
  tail -n 20 "$folder/server.log" >&2
  rm -rf "$folder"
  fail "the server does not start; the end of its log is above"
}

stop() {
  case "$(basename "$1")" in netwright-postgres-*) ;; *) fail "$1 is no folder of this script" ;; esac
  [ -d "$1/data" ] || exit 0
  as_server "$(find_bin)/pg_ctl" -D "$1/data" -m fast -w stop >/dev/null
  rm -rf "$1"
}

case "${1:-}" in
  start) start ;;
  stop) stop "${2:?which folder}" ;;
  *) fail "say start, or stop FOLDER" ;;
esac
