package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaMemoryAttentionTest extends MemoryAttentionContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
