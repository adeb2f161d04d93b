#!/bin/sh
# What B'MOJO's parts are worth: each changed alone, MILLIONS tokens (20), the pilot's rate for B'MOJO.
#   BMOJO=./bmojo GPUS="0 1 2 3" sh runs/language/ablate.sh
. runs/language/common.sh
: "${MILLIONS:=20}"
export PARTS="test long"
mkdir -p "$OUT/configs"
whole=$(config bmojo)

job() { echo "ablate-$1 sh $here/train.sh ablate-$1 $MILLIONS $(rate bmojo) --model $2 && sh $here/measure.sh ablate-$1"; }
change() { # NAME FROM TO: a configuration in which FROM is replaced
  echo "$whole" | sed "s/$2/$3/g" >"$OUT/configs/ablate-$1.json"
  job "$1" "$OUT/configs/ablate-$1.json"
}
{
  change E128 '"capacity":[0-9]*' '"capacity":128'
  for rule in innovation importance contextual random recent; do
    echo "$whole" | grep -q "\"selection\":\"$rule\"" && continue # that is E128
    change "$rule" '"selection":"[a-z]*"' "\"selection\":\"$rule\""
  done
  job E0 "$(model bmojo-f)"
  change E64 '"capacity":[0-9]*' '"capacity":64'
  change E256 '"capacity":[0-9]*' '"capacity":256'
  change absolute '"positions":"fixed"' '"positions":"absolute"'
  change unplaced '"positions":"fixed"' '"positions":"none"'
} >"$OUT/ablate.jobs"
sh $here/queue.sh "$OUT/ablate.jobs" "$OUT/logs"
