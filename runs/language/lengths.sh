#!/bin/sh
# Recipes for length: B'MOJO of the comparison goes on for MILLIONS tokens (10) at context 2K, in four ways.
#   BMOJO=./bmojo GPUS="0 1 2 3" sh runs/language/lengths.sh
. runs/language/common.sh
: "${MILLIONS:=10}"
recipe() { # NAME OPTIONS...
  name=recipe-$1
  shift
  echo "$name sh $here/train.sh $name $MILLIONS $(rate bmojo | awk '{ print $1 / 4 }') --from $RUNS/bmojo $*" \
    "&& sh $here/measure.sh $name"
}
{
  recipe plain
  recipe carried --carry-state
  recipe carried-and-reset --carry-state --reset 0.1
  recipe windows --random-window 0.25
} >"$OUT/lengths.jobs"
sh $here/queue.sh "$OUT/lengths.jobs" "$OUT/logs"
