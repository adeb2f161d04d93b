package org.bmojo.kernels.contract;

final class CpuMemoryAttentionTest extends MemoryAttentionContract {
  @Override
  Room room() {
    return Room.cpu();
  }
}
