package org.bmojo.kernels.contract;

final class CpuSwiGluTest extends SwiGluContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
