#!/bin/sh
# Learning rates: every model with every rate for 15M tokens, cosine to a tenth.
#   BMOJO=./bmojo TOKENS=tokens/train TOKENIZER=gpt2/tokenizer.json GPUS="0 1 2 3" sh runs/language/pilot.sh
# Prints, and leaves in OUT/pilot.tsv: model, rate, mean loss of the last 50 updates. All see the same
# batches in the same order, so that the losses compare. The best rates come first: it may be stopped.
# Models of the first rate are scored on what was held out too (OUT/pilot/MODEL-RATE/held-out.jsonl).
. runs/language/common.sh
: "${RATES:=1.2e-3 2.4e-3 6e-4}" "${STEPS:=460}" "${RUNS:=$OUT/pilot}"
mkdir -p "$RUNS"
first=${RATES%% *}
for rate in $RATES; do
  for family in $families; do
    name=$family-$rate
    score=
    [ "$rate" = "$first" ] && score="$BMOJO eval lm $RUNS/$name held-out=$TOKENS --device $DEVICE \
--windows disjoint:$CONTEXT --windows stream --out $RUNS/$name/held-out.jsonl;"
    echo "$name $BMOJO train $TOKENS --tokenizer $TOKENIZER --out $RUNS/$name --model $family-$SIZE" \
      "--device $DEVICE --batch $BATCH --context $CONTEXT --steps $STEPS --lr $rate --warmup $((STEPS / 10))" \
      "--eval-every 0 --save-every 0 --guard skip && { $score rm -rf $RUNS/$name/model; }"
  done
done >"$OUT/pilot.jobs"
sh $here/queue.sh "$OUT/pilot.jobs" "$RUNS/logs"

for rate in $RATES; do
  for family in $families; do
    file=$RUNS/$family-$rate/metrics.jsonl
    [ -e "$file" ] || continue
    grep '"event":"step"' "$file" | tail -n 50 | sed 's/.*"loss":\([^,]*\),.*/\1/' |
      awk -v m="$family" -v r="$rate" '{ s += $1 } END { if (NR) printf "%s\t%s\t%.4f\n", m, r, s / NR }'
  done
done | sort >"$OUT/pilot.tsv"
cat "$OUT/pilot.tsv"
