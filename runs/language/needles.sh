#!/bin/sh
# Needles in books: models of the comparison learn for 10M tokens, at context 2K, what is asked, and are
# then asked in books that nobody trained on, at up to 64K tokens.
#   BMOJO=./bmojo NEEDLES=tokens/needles GPUS="0 1 2 3" sh runs/language/needles.sh
# NEEDLES is made, from texts of the train split, by
#   ./bmojo data needles TEXTS --tokenizer TOKENIZER --count 12000 --out needles.jsonl
#   ./bmojo data prepare needles.jsonl --tokenizer TOKENIZER --out tokens/needles --held-out 0.01
# MODEL@E learns this with eidetic memory for E tokens only, and so to choose as sharply as a long book
# asks for; it is asked with room for each of ROOMS.
. runs/language/common.sh
: "${NEEDLES:=tokens/needles}" "${MODELS:=bmojo bmojo@16 mamba transformer hybrid bmojo-f sliding}" "${MILLIONS:=10}"
: "${LENGTHS:=1K,2K,4K,8K,16K,32K,64K}" "${SAMPLES:=20}" "${ROOMS:=128 512}"
ask() { # RUN RESULTS
  one="$BMOJO eval needle $1 $LONG/prose $LONG/manual --device $DEVICE --lengths $LENGTHS --samples $SAMPLES"
  echo "mkdir -p $2 && $one --out $2/needle.jsonl --page $2/needle.html && $one --pairs 8 --out $2/pairs.jsonl"
}
learn() { # NAME FROM RATE
  echo "TOKENS=$NEEDLES sh $here/train.sh $1 $MILLIONS $3 --from $2"
}
resize() { # FROM E TO
  echo "$BMOJO convert --from $1 --eidetic $2 --to $3"
}
for model in $MODELS; do
  base=${model%@*} rate=$(rate "${model%@*}" | awk '{ print $1 / 2 }')
  name=$base-needles
  case $model in
    *@*)
      name=$name-${model#*@}
      job="$(resize $RUNS/$base ${model#*@} $RUNS/$name-start) && $(learn $name $RUNS/$name-start $rate)"
      for room in $ROOMS; do
        job="$job && $(resize $RUNS/$name $room $RUNS/$name-$room) && $(ask $RUNS/$name-$room $OUT/$name-$room)"
      done ;;
    *) job="$(learn $name $RUNS/$base $rate) && $(ask $RUNS/$name $OUT/$name)" ;;
  esac
  echo "$name $job"
done >"$OUT/needles.jobs"
sh $here/queue.sh "$OUT/needles.jobs" "$OUT/logs"
