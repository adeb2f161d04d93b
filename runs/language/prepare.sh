#!/bin/sh
# Tokens of a corpus whose docs/train, docs/test and docs/long hold files called CATEGORY__….txt.
#   TOKENIZER=gpt2/tokenizer.json sh runs/language/prepare.sh corpus tokens
# Makes tokens/train (a two-hundredth of it held out), tokens/test/CATEGORY and tokens/long/CATEGORY.
# docs/long is read here and never trained on. Seven minutes on two cores for 490 MB of text.
set -eu
corpus=$1 tokens=$2
: "${BMOJO:=./bmojo}" "${TOKENIZER:=gpt2/tokenizer.json}" "${SHARD_TOKENS:=27000000}"
$BMOJO data prepare "$corpus/docs/train" --tokenizer "$TOKENIZER" --out "$tokens/train" \
  --held-out 0.005 --shard-tokens "$SHARD_TOKENS"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for part in test long; do
  for file in "$corpus/docs/$part"/*__*; do
    name=${file##*/}
    mkdir -p "$work/$part/${name%%__*}"
    cp "$file" "$work/$part/${name%%__*}/"
  done
  for category in "$work/$part"/*; do
    $BMOJO data prepare "$category" --tokenizer "$TOKENIZER" --out "$tokens/$part/${category##*/}" --held-out 0
  done
done
