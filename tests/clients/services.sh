#!/usr/bin/env bash
# The real servers that tests and benches read: on loopback, their versions pinned, what they are made of in the cache.
#   services.sh start DIR [SERVICE…]   starts them and prints a line `SERVICE URL` for each, which DIR/endpoints keeps
#   services.sh stop DIR               ends them
# Services: s3 (SeaweedFS), dynamodb (DynamoDB Local), dynalite, kinesis (kinesis-mock), kinesalite, opensearch (2.19),
# opensearch1 (1.3), opensearch3 (3.5), elasticsearch (7.10), trino (435); s3, dynamodb, kinesis and opensearch when none is
# named. Exits with 3 when one cannot be had here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/services

# The script of a service, and what it is told beside place and port.
script() {
    case "$1" in
    s3 | opensearch | opensearch1 | opensearch3 | elasticsearch | trino) echo "$1" ;;
    dynamodb) echo "dynamodb dynamodb-local" ;;
    dynalite) echo "dynamodb dynalite" ;;
    kinesis) echo "kinesis kinesis-mock" ;;
    kinesalite) echo "kinesis kinesalite" ;;
    *) echo "there is no service \"$1\"" >&2; exit 2 ;;
    esac
}
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
stop() {
    local service name
    [ -f "$1/endpoints" ] || return 0
    while read -r service _; do
        name=$(script "$service")
        "$here/${name%% *}" stop "$1/$service" || true
    done <"$1/endpoints"
    rm -f "$1/endpoints"
}

case "${1:-}" in
start)
    dir=$2
    shift 2
    [ $# -gt 0 ] || set -- s3 dynamodb kinesis opensearch
    # Nothing is started where one is unknown; an assignment, for `set -e` does not see what a word's command exits with.
    for service in "$@"; do
        words=$(script "$service")
    done
    mkdir -p "$dir"
    : >"$dir/endpoints"
    for service in "$@"; do
        words=$(script "$service")
        # shellcheck disable=SC2086
        set -- $words
        port=$(free_port)
        code=0
        "$here/$1" start "$dir/$service" "$port" ${2:+"$2"} || code=$?
        if [ "$code" != 0 ]; then
            stop "$dir"
            exit "$code"
        fi
        echo "$service http://127.0.0.1:$port" | tee -a "$dir/endpoints"
    done
    ;;
stop) stop "$2" ;;
*)
    echo "usage: $0 start DIR [SERVICE…] | stop DIR" >&2
    exit 2
    ;;
esac
