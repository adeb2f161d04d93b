package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaAdamWTest extends AdamWContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
