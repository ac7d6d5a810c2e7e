#!/bin/sh
# Runs a test program as a user that Postgres accepts: as itself, or, when root, as user postgres.
if [ "$(id -u)" -ne 0 ]; then
    exec "$@"
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/tmp "$@"
