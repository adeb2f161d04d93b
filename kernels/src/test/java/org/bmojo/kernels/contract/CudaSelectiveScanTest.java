package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaSelectiveScanTest extends SelectiveScanContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
