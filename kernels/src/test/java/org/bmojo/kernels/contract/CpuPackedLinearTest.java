package org.bmojo.kernels.contract;

final class CpuPackedLinearTest extends PackedLinearContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
