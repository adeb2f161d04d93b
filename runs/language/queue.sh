#!/bin/sh
# Runs the lines of a file, each a command of its own, as many at a time as there are GPUs.
#   GPUS="0 1 2 3" sh runs/language/queue.sh JOBS LOGS
# A line begins with the job's name, which its log is called after; a line that failed stops no other.
# What has its LOGS/NAME.done is not run again, so that the same call goes on after an interruption.
set -u
jobs=$1 logs=$2
mkdir -p "$logs"
rm -rf "$logs"/*.taken

worker() {
  export CUDA_VISIBLE_DEVICES="$1"
  while read -r name command; do
    [ -z "$name" ] || [ -e "$logs/$name.done" ] && continue
    mkdir "$logs/$name.taken" 2>/dev/null || continue # another worker has it
    began=$(date +%s)
    if sh -c "$command" >"$logs/$name.log" 2>&1 </dev/null; then touch "$logs/$name.done"; else word=FAILED; fi
    echo "$(date +%T) GPU $1, $(($(date +%s) - began)) s: $name ${word:-}"
    word=
  done <"$jobs"
}

for gpu in ${GPUS:-0}; do worker "$gpu" & done
wait
