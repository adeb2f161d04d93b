package org.bmojo.kernels.contract;

final class CpuCausalConvTest extends CausalConvContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
