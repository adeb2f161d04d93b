package org.bmojo.kernels.contract;

final class CpuSelectiveScanTest extends SelectiveScanContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
