package org.bmojo.kernels.contract;

import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaRmsNormTest extends RmsNormContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }

  /**
   * Also every way that rows are laid over threads, and more rows than are on their way at once.
   */
  @Override
  Stream<Case> cases() {
    Stream<Case> wide =
        room().types().stream()
            .flatMap(type ->
                Stream.of(
                    new Case(type, 1, 20011, 128, true),
                    new Case(type, 3, 207, 512, true),
                    new Case(type, 1, 5501, 768, true),
                    new Case(type, 1, 1301, 2048, true),
                    new Case(type, 2, 63, 4096, false),
                    new Case(type, 1, 13, 16384, true)));
    return Stream.concat(super.cases(), wide);
  }
}
