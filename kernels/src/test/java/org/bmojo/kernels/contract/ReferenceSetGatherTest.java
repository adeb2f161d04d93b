package org.bmojo.kernels.contract;

final class ReferenceSetGatherTest extends SetGatherContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
