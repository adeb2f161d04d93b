#!/bin/sh
# Processes under Open MPI, which starts them and tells each its number; sums go over NCCL, not MPI:
#
#   runs/launch/mpi.sh tokens runs/two                       two on this machine
#   HOSTS=a:8,b:8 MASTER_ADDR=a N=16 runs/launch/mpi.sh tokens runs/sixteen
set -eu
tokens=$1
run=$2
export BMOJO_CUDA=1
exec mpirun -np "${N:-2}" ${HOSTS:+--host "$HOSTS"} --map-by slot --bind-to none \
  -x BMOJO_CUDA -x PATH ${MASTER_ADDR:+-x MASTER_ADDR} ${MASTER_PORT:+-x MASTER_PORT} \
  ./bmojo train "$tokens" --out "$run" --resume --tokenizer "${TOKENIZER:-gpt2.json}" \
  --model bmojo-130m --device cuda --batch 16 --accumulate "${N:-2}" --context 2048
