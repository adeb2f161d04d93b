package org.bmojo.kernels.contract;

final class ReferenceSsdTest extends SsdContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
