package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaRotaryTest extends RotaryContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
