package org.bmojo.kernels.contract;

final class CpuAdamWTest extends AdamWContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
