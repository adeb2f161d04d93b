#!/bin/sh
# Learning rates: every model with every rate for 15M tokens, a tenth of them warm-up, cosine to a tenth.
#   BMOJO=./bmojo TOKENS=tokens/train TOKENIZER=gpt2/tokenizer.json GPUS="0 1 2 3" sh runs/language/pilot.sh
# Prints, and adds to OUT/pilot.tsv: model, rate, mean loss of the last 50 updates. All see the same
# batches in the same order, so that the losses compare. What is done is not run again: RATES and FAMILIES
# may be widened. Models of the first rate are scored on what was held out (RUN/held-out.jsonl).
. runs/language/common.sh
: "${RATES:=6e-4 1.2e-3 3e-4 2.4e-3}" "${STEPS:=460}"
runs=$RUNS/pilot
mkdir -p "$runs"
first=${RATES%% *}
for rate in $RATES; do
  for family in $FAMILIES; do
    name=$family-$rate
    score=
    [ "$rate" = "$first" ] && score="$BMOJO eval lm $runs/$name held-out=$TOKENS --device $DEVICE \
--windows disjoint:$CONTEXT --windows stream:32768 --out $runs/$name/held-out.jsonl;"
    echo "$name $BMOJO train $TOKENS --tokenizer $TOKENIZER --out $runs/$name --model $(model $family)" \
      "--device $DEVICE --batch $BATCH --context $CONTEXT --steps $STEPS --lr $rate --warmup $((STEPS / 10))" \
      "--eval-every 0 --save-every 0 --guard skip && { $score rm -rf $runs/$name/model; }"
  done
done >"$OUT/pilot.jobs"
sh $here/queue.sh "$OUT/pilot.jobs" "$OUT/logs/pilot"

{
  cat "$OUT/pilot.tsv" 2>/dev/null
  for rate in $RATES; do
    for family in $FAMILIES; do
      file=$runs/$family-$rate/metrics.jsonl
      [ -e "$file" ] || continue
      grep '"event":"step"' "$file" | tail -n 50 | sed 's/.*"loss":\([^,]*\),.*/\1/' |
        awk -v m="$family" -v r="$rate" '{ s += $1 } END { if (NR) printf "%s\t%s\t%.4f\n", m, r, s / NR }'
    done
  done
} | sort -u >"$OUT/pilot.new"
mv "$OUT/pilot.new" "$OUT/pilot.tsv"
cat "$OUT/pilot.tsv"
