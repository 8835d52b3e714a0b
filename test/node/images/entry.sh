#!/bin/sh
# What the entry point of the official image does with an empty folder, as far as the
# suite needs it: the addresses that initdb trusts stay trusted, everybody else is asked
# for the password. Clients that dial from 127.0.0.1 would not be.
set -eu
: "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  umask 077
  password=/var/run/postgresql/initial-password
  printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
  initdb --username="$POSTGRES_USER" --pwfile="$password" --auth=trust --no-sync >/dev/null
  rm "$password"
  printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  printf 'CREATE DATABASE "%s";\n' "$POSTGRES_DB" | postgres --single postgres >/dev/null
  for file in /docker-entrypoint-initdb.d/*.sql; do
    if [ -f "$file" ]; then postgres --single -j "$POSTGRES_DB" <"$file" >/dev/null; fi
  done
fi
exec postgres -c listen_addresses='*' "$@"
