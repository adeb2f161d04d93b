package org.bmojo.kernels.contract;

final class ReferenceGatedDeltaTest extends GatedDeltaContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
