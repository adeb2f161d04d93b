package org.bmojo.kernels.contract;

final class ReferenceInnovationScoreTest extends InnovationScoreContract {
  @Override
  Room room() {
    return Room.reference();
  }
}
