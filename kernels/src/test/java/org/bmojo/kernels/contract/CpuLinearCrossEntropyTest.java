package org.bmojo.kernels.contract;

final class CpuLinearCrossEntropyTest extends LinearCrossEntropyContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
