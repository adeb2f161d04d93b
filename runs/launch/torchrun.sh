#!/bin/sh
# Two GPUs of this machine under torchrun, which begins anew up to three times if a process is lost:
#
#   ./bmojo data prepare corpus/ --tokenizer gpt2.json --out tokens
#   runs/launch/torchrun.sh tokens runs/two
#
# On several machines, the same on each with --nnodes, --rdzv-backend=c10d and
# --rdzv-endpoint=FIRST:29400 instead of --standalone.
set -eu
tokens=$1
run=$2
export BMOJO_CUDA=1
exec torchrun --standalone --nproc-per-node="${GPUS:-2}" --max-restarts=3 --no-python \
  ./bmojo train "$tokens" --out "$run" --resume --tokenizer "${TOKENIZER:-gpt2.json}" \
  --model bmojo-130m --device cuda --batch 16 --accumulate "${GPUS:-2}" --context 2048
