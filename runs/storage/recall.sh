#!/bin/sh
# Recall from storage: models with room for one token beside one with room for eight and one without storage, on eight
# pairs; then the same weights with other sizes, and read through a store that is written behind their back.
# Some ten minutes on two idle cores. The short form is StorageRecallTest. Build first: mvn -Dmaven.test.skip=true package
cd "$(dirname "$0")/../.." || exit 1
lab() { java @bench/target/cpu/java.args org.bmojo.bench.store.RecallLab "$@"; }
for seed in ${SEEDS:-1 2}; do
  lab mqar 8 900 "$seed" train:1,1,31,max,1 test:1,1,1,max,1 test:1,1,2,max,1 test:1,1,4,max,1 test:1,1,8,max,1 \
    store:1,1,1,max,1 store:1,1,2,max,1 store:1,1,8,max,1 \
    test:1,2,4,max,1 test:1,4,4,max,1 test:1,4,8,max,1 test:1,4,8,max,4 test:1,4,8,mean,4 test:1,4,15,max,1 \
    train:8,1,0,max,1 train:1,1,0,max,1
  lab needle 8 900 "$seed" train:1,1,31,max,1 test:1,1,1,max,1 test:1,1,4,max,1 store:1,1,1,max,1 \
    test:1,2,1,max,1 test:1,4,4,max,4 train:8,1,0,max,1 train:1,1,0,max,1
done
