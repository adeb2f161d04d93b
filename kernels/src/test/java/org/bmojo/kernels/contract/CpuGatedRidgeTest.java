package org.bmojo.kernels.contract;

import java.util.stream.Stream;

final class CpuGatedRidgeTest extends GatedRidgeContract {
  @Override
  Room room() {
    return Room.cpu();
  }

  /** And states of many vectors, whole and torn. */
  @Override
  Stream<HeadScanCase> cases() {
    return Stream.concat(super.cases(), room().types().stream().flatMap(HeadScanCase::large));
  }
}
