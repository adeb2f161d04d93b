package org.bmojo.kernels.contract;

import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaGatedDeltaTest extends GatedDeltaContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }

  /** And the sizes that tiles are made for, whole and torn. */
  @Override
  Stream<HeadScanCase> cases() {
    return Stream.concat(super.cases(), room().types().stream().flatMap(HeadScanCase::large));
  }
}
