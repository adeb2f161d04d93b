package org.bmojo.kernels.contract;

import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

@Tag("gpu")
final class CudaSelectiveScanTest extends SelectiveScanContract {
  @Override
  Room room() {
    return CudaRooms.room();
  }

  /** Also blocks of more than eight warps, and sequences cut into pieces of time for backward. */
  @Override
  Stream<ScanCase> casesWithDocuments() {
    Stream<ScanCase> further =
        room().types().stream()
            .flatMap(type ->
                Stream.of(
                    new ScanCase(type, 2, 37, 33, 24, true),
                    new ScanCase(type, 1, 65, 131, 40, false),
                    new ScanCase(type, 1, 1037, 33, 5, true),
                    new ScanCase(type, 1, 1536, 32, 16, false),
                    new ScanCase(type, 1, 1100, 20, 4, true, true)));
    return Stream.concat(super.casesWithDocuments(), further);
  }
}
