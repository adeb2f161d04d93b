package org.bmojo.store.lucene;

import java.nio.file.Path;
import org.bmojo.store.MemoryStore;
import org.bmojo.store.StoreContract;
import org.bmojo.store.StoreIdentity;
import org.bmojo.store.StoreLimits;
import org.junit.jupiter.api.io.TempDir;

class Int8StoreTest extends StoreContract {
  @TempDir Path home = Path.of("");

  @Override
  protected MemoryStore empty(StoreIdentity identity, StoreLimits limits) {
    LuceneConfig config = LuceneConfig.STANDARD.with(limits).with(Precision.INT8);
    return LuceneStore.open(home.resolve("store"), identity, config);
  }

  @Override
  protected double precision() {
    return 1 / 256.0;
  }
}
