package org.bmojo.kernels.contract;

import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaEideticSelectTest extends EideticSelectContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }
}
