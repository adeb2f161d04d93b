package org.bmojo.kernels.contract;

final class ReferenceAdamWTest extends AdamWContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
