package org.bmojo.kernels.contract;

final class CpuRowLinearTest extends RowLinearContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
