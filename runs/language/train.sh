#!/bin/sh
# Trains one model, unless that was done: sh runs/language/train.sh NAME MILLION-TOKENS RATE OPTIONS...
# OPTIONS name the model: --model bmojo-130m, or --from another run.
. runs/language/common.sh
name=$1 updates=$(steps "$2") rate=$3
shift 3
if ! [ -e "$RUNS/$name.trained" ]; then
  case " $* " in *" --from "*) words= ;; *) words="--tokenizer $TOKENIZER" ;; esac
  resume=
  [ -d "$RUNS/$name/model" ] && resume=--resume
  $BMOJO train "$TOKENS" $words --out "$RUNS/$name" --device "$DEVICE" --batch "$BATCH" --context "$CONTEXT" \
    --steps "$updates" --lr "$rate" --warmup "${WARMUP:-$((updates / 20))}" --eval-every 0 --save-every 0 \
    --guard skip $resume "$@" || exit
  touch "$RUNS/$name.trained"
fi
mkdir -p "$OUT/$name"
cp "$RUNS/$name/metrics.jsonl" "$OUT/$name/"
