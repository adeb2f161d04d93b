package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaLinearCrossEntropyTest extends LinearCrossEntropyContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
