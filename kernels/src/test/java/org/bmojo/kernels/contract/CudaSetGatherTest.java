package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaSetGatherTest extends SetGatherContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
