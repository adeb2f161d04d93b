# What the scripts here share; they read it with ". runs/language/common.sh", from the repository's root.
#   BMOJO      how to start the command (./bmojo)
#   TOKENS     shards of the train split; prepare.sh makes them (tokens/train)
#   LONG, TEST folders of shards, one a category; prepare.sh makes them too (tokens/long, tokens/test)
#   TOKENIZER  GPT-2's tokenizer.json
#   OUT        where results and logs go (results/language)
#   RUNS       where runs and their checkpoints go, 1.6 GB each (OUT/runs)
#   GPUS       numbers of the GPUs to use, one job at a time on each ("0")
#   DEVICE     cuda, or cpu to see that everything works
#   SIZE       of the models (130m); BATCH, CONTEXT (16, 2048)
#   FAMILIES   which models; NAME-qk has norms on queries and keys
set -fu # -f: a class path in BMOJO may have a *
: "${BMOJO:=./bmojo}" "${TOKENS:=tokens/train}" "${LONG:=tokens/long}" "${TEST:=tokens/test}"
: "${TOKENIZER:=gpt2/tokenizer.json}" "${OUT:=results/language}" "${GPUS:=0}" "${DEVICE:=cuda}"
: "${BATCH:=16}" "${CONTEXT:=2048}" "${SIZE:=130m}" "${RUNS:=$OUT/runs}"
export FAMILIES BMOJO TOKENS LONG TEST TOKENIZER OUT RUNS GPUS DEVICE BATCH CONTEXT SIZE
export OMP_WAIT_POLICY=PASSIVE
here=runs/language
: "${FAMILIES:=mamba bmojo bmojo-f hybrid transformer sliding}" # slowest first: then all end together
mkdir -p "$OUT" "$RUNS"

# Updates for so many million tokens; STEPS overrides it, to see in a minute that everything works.
steps() { echo "${STEPS:-$(($1 * 1000000 / (BATCH * CONTEXT)))}"; }

# What train takes for a family: OUT/configs/NAME.json if it is there, else the preset; of NAME-qk, the
# preset with norms on queries and keys.
model() {
  mkdir -p "$OUT/configs"
  case $1 in
    *-qk) [ -s "$OUT/configs/$1.json" ] || config "${1%-qk}" | sed 's/"qkNorm":false/"qkNorm":true/g' >"$OUT/configs/$1.json" ;;
  esac
  if [ -s "$OUT/configs/$1.json" ]; then echo "$OUT/configs/$1.json"; else echo "$1-$SIZE"; fi
}
config() {
  if [ -s "$OUT/configs/$1.json" ]; then cat "$OUT/configs/$1.json"; return; fi
  $BMOJO info "$1-$SIZE" --vocabulary "${VOCABULARY:-50304}" --json 2>/dev/null | sed -n 's/.*"config":\(.*\)}$/\1/p'
}

# The rate that the pilot found best for a family.
rate() {
  awk -v m="$1" '$1 == m && (best == "" || $3 + 0 < best) { best = $3 + 0; r = $2 }
    END { print r == "" ? "1.2e-3" : r }' "$OUT/pilot.tsv" 2>/dev/null || echo 1.2e-3
}

# The categories in a folder of shards as eval takes them: prose=tokens/long/prose ...
categories() {
  set +f
  for folder in "$1"/*/; do
    name=$(basename "$folder")
    echo "$name=${folder%/}"
  done
  set -f
}
