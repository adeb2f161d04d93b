package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaCausalConvTest extends CausalConvContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
