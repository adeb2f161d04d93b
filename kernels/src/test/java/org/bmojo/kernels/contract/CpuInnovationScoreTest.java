package org.bmojo.kernels.contract;

final class CpuInnovationScoreTest extends InnovationScoreContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
