#!/bin/sh
# A thousand times: kill -9 a process that is storing entries, open the store, compare every committed entry.
# About half an hour on two cores. The short form (four kills) runs with the other tests.
cd "$(dirname "$0")/../.." || exit 1
exec mvn -q -B -pl core -am -Dbmojo.excluded=gpu -Dtest='StoreKillTest#aThousandKillsLoseNothingCommitted' \
  -Dsurefire.failIfNoSpecifiedTests=false test
