package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaPackedLinearTest extends PackedLinearContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
