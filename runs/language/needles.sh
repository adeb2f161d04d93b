#!/bin/sh
# Needles in books: models of the comparison learn for 10M tokens, at context 2K, what is asked, and are
# then asked in books that nobody trained on, at up to 64K tokens.
#   BMOJO=./bmojo NEEDLES=tokens/needles GPUS="0 1 2 3" sh runs/language/needles.sh
# NEEDLES is made, from texts of the train split, by
#   ./bmojo data needles TEXTS --tokenizer TOKENIZER --count 12000 --out needles.jsonl
#   ./bmojo data prepare needles.jsonl --tokenizer TOKENIZER --out tokens/needles --held-out 0.01
. runs/language/common.sh
: "${NEEDLES:=tokens/needles}" "${MODELS:=bmojo mamba transformer hybrid bmojo-f sliding}" "${MILLIONS:=10}"
: "${LENGTHS:=1K,2K,4K,8K,16K,32K,64K}" "${SAMPLES:=20}"
for model in $MODELS; do
  name=$model-needles
  ask="$BMOJO eval needle $RUNS/$name $LONG/prose $LONG/manual --device $DEVICE --lengths $LENGTHS --samples $SAMPLES"
  echo "$name TOKENS=$NEEDLES sh $here/train.sh $name $MILLIONS $(rate "$model" | awk '{ print $1 / 2 }') --from $RUNS/$model" \
    "&& $ask --out $OUT/$name/needle.jsonl --page $OUT/$name/needle.html" \
    "&& $ask --pairs 8 --out $OUT/$name/pairs.jsonl"
done >"$OUT/needles.jobs"
sh $here/queue.sh "$OUT/needles.jobs" "$OUT/logs"
