package org.bmojo.kernels.contract;

final class ReferenceEideticSelectTest extends EideticSelectContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
