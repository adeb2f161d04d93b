package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaRmsNormTest extends RmsNormContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
