#!/bin/sh
# All that is asked of a trained model, or those PARTS of it: sh runs/language/measure.sh NAME [LONGEST]
# LONGEST cuts documents, for models whose memory grows with what they read; without it a million
# tokens are read too. Leaves OUT/NAME/{test,long,million}.jsonl.
. runs/language/common.sh
name=$1 longest=${2:-}
run=$RUNS/$name to=$OUT/$name
mkdir -p "$to"
cut=
[ -n "$longest" ] && cut="--length $longest"
[ -n "$longest" ] && : "${PARTS:=test long}"
for part in ${PARTS:-test long million}; do
  case $part in
    test)
      $BMOJO eval lm "$run" $(categories "$TEST") --device "$DEVICE" --windows disjoint:2048 --out "$to/test.jsonl" ;;
    long)
      $BMOJO eval lm "$run" $(categories "$LONG") --device "$DEVICE" $cut --windows stream --windows disjoint:2048 \
        --out "$to/long.jsonl" --page "$to/long.html" ;;
    million)
      $BMOJO eval lm "$run" $(categories "$LONG") --device "$DEVICE" --concatenate \
        --length "${MILLION:-1048576}" --out "$to/million.jsonl" ;;
  esac
done
