package org.bmojo.kernels.contract;

final class ReferenceSwiGluTest extends SwiGluContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
