package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaRowLinearTest extends RowLinearContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
