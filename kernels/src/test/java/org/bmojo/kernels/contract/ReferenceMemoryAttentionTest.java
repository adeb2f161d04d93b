package org.bmojo.kernels.contract;

final class ReferenceMemoryAttentionTest extends MemoryAttentionContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
