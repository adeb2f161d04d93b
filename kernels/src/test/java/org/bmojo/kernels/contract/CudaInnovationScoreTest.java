package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaInnovationScoreTest extends InnovationScoreContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
