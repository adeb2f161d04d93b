#!/bin/sh
# What B'MOJO's parts are worth: each changed alone, MILLIONS tokens (20), the pilot's rate for B'MOJO.
#   BMOJO=./bmojo GPUS="0 1 2 3" sh runs/language/ablate.sh
#   ONLY="innovation random" … some of them; E128 is the preset itself
. runs/language/common.sh
: "${MILLIONS:=20}"
export PARTS="test long"
mkdir -p "$OUT/configs"
whole=$(config bmojo)

job() {
  case " ${ONLY:-$1} " in *" $1 "*) ;; *) return ;; esac
  echo "ablate-$1 sh $here/train.sh ablate-$1 $MILLIONS $(rate bmojo) --model $2 && sh $here/measure.sh ablate-$1"
}
change() { # NAME SED: a configuration with something replaced
  echo "$whole" | sed "$2" >"$OUT/configs/ablate-$1.json"
  job "$1" "$OUT/configs/ablate-$1.json"
}
{
  change E128 's/"capacity":[0-9]*/"capacity":128/g'
  for rule in innovation combined importance contextual random recent; do
    echo "$whole" | grep -q "\"selection\":\"$rule\"" && continue # that is E128
    unbiased= free=
    case $rule in innovation | combined) free=',"scaleFree":true' ;; esac # decision 12
    case $rule in innovation | random | recent) unbiased='s/"initialBias":[-0-9.]*/"initialBias":0/g' ;; esac
    change "$rule" "s/\"selection\":\"[a-z]*\"/\"selection\":\"$rule\"$free/g; $unbiased"
  done
  change innovation-of-any-scale 's/"selection":"[a-z]*"/"selection":"innovation"/g; s/"initialBias":[-0-9.]*/"initialBias":0/g'
  job E0 "$(model bmojo-f)"
  change E64 's/"capacity":[0-9]*/"capacity":64/g'
  change E256 's/"capacity":[0-9]*/"capacity":256/g'
  change late 's/"early":true/"early":false/g'
  change order 's/"positions":"fixed"/"positions":"order"/g'
  change absolute 's/"positions":"fixed"/"positions":"absolute"/g'
  change unplaced 's/"positions":"fixed"/"positions":"none"/g'
} >"$OUT/ablate.jobs"
sh $here/queue.sh "$OUT/ablate.jobs" "$OUT/logs"
