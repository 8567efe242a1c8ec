#!/usr/bin/env bash
# tools/bench-postgres.sh start|stop DIR: a private PostgreSQL in DIR, to be measured against.
#
# As it comes, durable (fsync and synchronous_commit on), with memory for the data; a Unix socket in DIR/socket and a port of
# the loopback. `start` installs Debian's package where there is none, and prints `socket=… port=… pid=… version=…`.
# Its user is postgres, without a password: nothing but random bytes belongs in it.
set -euo pipefail

fail() {
  echo "error: $*" >&2
  exit 1
}

[ $# -eq 2 ] || fail "usage: tools/bench-postgres.sh start|stop DIR"
verb=$1
mkdir -p "$2"
dir=$(CDPATH= cd -P "$2" && pwd)

programs() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -n | tail -n 1)
  if [ -z "$found" ] && command -v initdb >/dev/null; then found=$(dirname "$(command -v initdb)"); fi
  [ -n "$found" ] && printf '%s\n' "$found"
}

install_postgresql() {
  command -v apt-get >/dev/null || fail "please install PostgreSQL: there is no apt-get here."
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  {
    ${as_root[@]+"${as_root[@]}"} apt-get update
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql
  } >&2
}

# The server refuses to run as root: then it runs as postgres, the user its package makes.
as_owner() {
  if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

free_port() {
  local port
  for port in $(seq 54330 54399); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
      printf '%s\n' "$port"
      return
    }
  done
  fail "no port from 54330 to 54399 is free."
}

start() {
  programs >/dev/null || install_postgresql
  local bin port
  bin=$(programs) || fail "PostgreSQL was installed, yet its programs were not found."
  port=$(free_port)
  mkdir -p "$dir/socket"
  chmod 755 "$dir"
  if [ "$(id -u)" -eq 0 ]; then chown postgres: "$dir" "$dir/socket"; fi
  cd "$dir"
  as_owner "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --no-locale >"$dir/initdb.log" 2>&1 ||
    fail "initdb failed: $(cat "$dir/initdb.log")"
  as_owner tee -a "$dir/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir/socket'
fsync = on
synchronous_commit = on
shared_buffers = 512MB
max_connections = 200
max_wal_size = 4GB
CONF
  as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 start >"$dir/start.log" 2>&1 ||
    fail "PostgreSQL did not start: $(cat "$dir/start.log" "$dir/data/server.log" 2>/dev/null)"
  echo "socket=$dir/socket port=$port pid=$(head -n 1 "$dir/data/postmaster.pid") version=$("$bin/postgres" --version | awk '{ print $3 }')"
}

stop() {
  local bin
  bin=$(programs) || fail "there is no PostgreSQL here."
  [ -d "$dir/data" ] || fail "there is no cluster in $dir."
  cd "$dir"
  as_owner "$bin/pg_ctl" -D "$dir/data" -m fast -w -t 60 stop >/dev/null
}

case $verb in
  start) start ;;
  stop) stop ;;
  *) fail "usage: tools/bench-postgres.sh start|stop DIR" ;;
esac
