package org.bmojo.kernels.contract;

final class ReferenceRotaryTest extends RotaryContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
