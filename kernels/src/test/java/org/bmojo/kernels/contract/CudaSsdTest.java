package org.bmojo.kernels.contract;

import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaSsdTest extends SsdContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }

  /** And the sizes that tiles are made for, whole and torn, and a state too large for them. */
  @Override
  Stream<HeadScanCase> cases() {
    return Stream.concat(
        super.cases(),
        room().types().stream()
            .flatMap(type ->
                Stream.concat(
                    HeadScanCase.large(type),
                    Stream.of(new HeadScanCase(type, 1, 13, 1, 130, 4, true)))));
  }
}
