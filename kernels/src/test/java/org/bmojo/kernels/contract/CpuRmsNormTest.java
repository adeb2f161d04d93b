package org.bmojo.kernels.contract;

final class CpuRmsNormTest extends RmsNormContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
