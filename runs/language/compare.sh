#!/bin/sh
# The comparison: six models of 130M parameters, the same tokens in the same order, each at its own best
# learning rate (pilot.sh); then B'MOJO and Mamba for 10M tokens more at context 8K. Measures all.
#   BMOJO=./bmojo GPUS="0 1 2 3" sh runs/language/compare.sh
# MILLIONS tokens each (100). What is done stays done: the same command goes on.
. runs/language/common.sh
: "${MILLIONS:=100}" "${MORE:=10}"
for family in $FAMILIES; do
  longest=
  case $family in transformer*) longest=131072 ;; esac
  job="sh $here/train.sh $family $MILLIONS $(rate $family) --model $(model $family) && sh $here/measure.sh $family $longest"
  case $family in
    mamba | bmojo | bmojo-qk)
      job="$job; BATCH=$((BATCH * CONTEXT / 8192 > 0 ? BATCH * CONTEXT / 8192 : 1)) CONTEXT=8192"
      job="$job sh $here/train.sh $family-8k $MORE $(rate $family | awk '{ print $1 / 4 }') --from $RUNS/$family"
      job="$job && sh $here/measure.sh $family-8k" ;;
  esac
  echo "$family $job"
done >"$OUT/compare.jobs"
sh $here/queue.sh "$OUT/compare.jobs" "$OUT/logs"
