package org.bmojo.kernels.contract;

final class ReferenceGatedRidgeTest extends GatedRidgeContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
