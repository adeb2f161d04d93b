package org.bmojo.kernels.contract;

final class CpuEideticSelectTest extends EideticSelectContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
