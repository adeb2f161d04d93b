#!/bin/sh
# What B'MOJO's parts are worth: each changed alone, MILLIONS tokens (30), the pilot's rate for B'MOJO.
#   BMOJO=./bmojo GPUS="0 1 2 3" sh runs/language/ablate.sh
. runs/language/common.sh
: "${MILLIONS:=30}"
mkdir -p "$OUT/configs"
whole=$(config bmojo)

change() { # NAME FROM TO: a configuration in which FROM is replaced
  echo "$whole" | sed "s/$2/$3/g" >"$OUT/configs/$1.json"
  name=ablate-$1
  echo "$name sh $here/train.sh $name $MILLIONS $(rate bmojo) --model $OUT/configs/$1.json && sh $here/measure.sh $name"
}
{
  change E128 '"capacity":[0-9]*' '"capacity":128'
  change importance '"selection":"innovation"' '"selection":"importance"'
  echo "ablate-E0 sh $here/train.sh ablate-E0 $MILLIONS $(rate bmojo) --model bmojo-f-$SIZE && sh $here/measure.sh ablate-E0"
  change random '"selection":"innovation"' '"selection":"random"'
  change recent '"selection":"innovation"' '"selection":"recent"'
  change E64 '"capacity":[0-9]*' '"capacity":64'
  change qk '"qkNorm":false' '"qkNorm":true'
  change E256 '"capacity":[0-9]*' '"capacity":256'
  change absolute '"positions":"fixed"' '"positions":"absolute"'
  change unplaced '"positions":"fixed"' '"positions":"none"'
} >"$OUT/ablate.jobs"
sh $here/queue.sh "$OUT/ablate.jobs" "$OUT/logs"
