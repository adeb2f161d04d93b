package org.bmojo.kernels.contract;

final class ReferenceLinearCrossEntropyTest extends LinearCrossEntropyContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
