package org.bmojo.store;

class ExactStoreTest extends StoreContract {
  @Override
  protected MemoryStore empty(StoreIdentity identity, StoreLimits limits) {
    return new ExactStore(identity, limits);
  }

  @Override
  protected double precision() {
    return 0;
  }
}
