# What the scripts here share; they read it with ". runs/language/common.sh", from the repository's root.
#   BMOJO      how to start the command (./bmojo)
#   TOKENS     shards that data prepare made of the train split (tokens/train)
#   TOKENIZER  GPT-2's tokenizer.json
#   OUT        where runs, logs and results go (results/language)
#   GPUS       numbers of the GPUs to use, one job at a time on each ("0")
#   DEVICE     cuda, or cpu to see that everything works
set -fu # -f: a class path in BMOJO may have a *
: "${BMOJO:=./bmojo}" "${TOKENS:=tokens/train}" "${TOKENIZER:=gpt2/tokenizer.json}"
: "${OUT:=results/language}" "${GPUS:=0}" "${DEVICE:=cuda}"
: "${BATCH:=16}" "${CONTEXT:=2048}" "${SIZE:=130m}"
here=runs/language
families="bmojo mamba transformer hybrid bmojo-f sliding"
export OMP_WAIT_POLICY=PASSIVE
mkdir -p "$OUT"
