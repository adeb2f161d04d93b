#!/bin/sh
# Recall from a store that holds entries of others too: documents about the same keys (same) or about other keys (other),
# and sessions that nobody else sees (sessions). Some ten minutes, most of it for 100,000:
# the store compares every key.
# Build first: mvn -Dmaven.test.skip=true package
cd "$(dirname "$0")/../.." || exit 1
set -- train:1,1,15,max,1
for entries in ${ENTRIES:-0 1000 10000 100000}; do
  for of in same other sessions; do
    for retrieved in 1 8; do set -- "$@" "among:1,1,$retrieved,max,1,$of,$entries"; done
  done
done
java @bench/target/cpu/java.args org.bmojo.bench.store.RecallLab mqar 4 300 "${SEED:-1}" "$@"
