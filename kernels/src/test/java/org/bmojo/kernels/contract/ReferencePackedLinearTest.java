package org.bmojo.kernels.contract;

final class ReferencePackedLinearTest extends PackedLinearContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
