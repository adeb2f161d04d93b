package org.bmojo.kernels.contract;

final class CpuRotaryTest extends RotaryContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
