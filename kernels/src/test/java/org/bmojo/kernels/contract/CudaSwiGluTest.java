package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaSwiGluTest extends SwiGluContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
