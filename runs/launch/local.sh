#!/bin/sh
# Starts N processes of a command on this machine, as torchrun does, and waits for them:
#
#   runs/launch/local.sh 2 ./bmojo train tokens --out runs/two --device cuda
#
# Each gets RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Ctrl-C and a polite kill are
# passed on; the exit code is the first process's that failed, else 0.
set -u

if [ $# -lt 2 ]; then
  echo "usage: $0 N COMMAND [ARGUMENT ...]" >&2
  exit 2
fi
size=$1
shift

# A port that is probably free: the first process listens there.
export MASTER_ADDR="${MASTER_ADDR:-127.0.0.1}"
export MASTER_PORT="${MASTER_PORT:-$((20000 + $$ % 10000))}"
export WORLD_SIZE="$size"

processes=
rank=0
while [ "$rank" -lt "$size" ]; do
  RANK=$rank LOCAL_RANK=$rank "$@" &
  processes="$processes $!"
  rank=$((rank + 1))
done

# Both as TERM: what a shell starts in the background is deaf to INT.
# shellcheck disable=SC2086
trap 'kill -TERM $processes 2>/dev/null' INT TERM

# A signal ends "wait", not the process waited for: until that is gone, wait again.
result=0
for process in $processes; do
  wait "$process"
  code=$?
  while kill -0 "$process" 2>/dev/null; do
    wait "$process"
    code=$?
  done
  [ $result -ne 0 ] || result=$code
done
exit $result
