package org.bmojo.store;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.store.Entries.MODEL;

import java.util.List;
import org.bmojo.error.BadInput;
import org.junit.jupiter.api.Test;

class StoreIdentityTest {
  @Test
  void anotherModelsStoreIsRefusedWithBothNamed() {
    MODEL.check(new StoreIdentity(13, 2, 3, "made-for-tests"), "dir");
    List<StoreIdentity> others =
        List.of(
            new StoreIdentity(14, 2, 3, "made-for-tests"),
            new StoreIdentity(13, 1, 3, "made-for-tests"),
            new StoreIdentity(13, 2, 1, "made-for-tests"),
            new StoreIdentity(13, 2, 3, "retrained"));
    for (StoreIdentity other : others) {
      assertThatThrownBy(() -> MODEL.check(other, "dir"))
          .isInstanceOf(BadInput.class)
          .hasMessageStartingWith("dir holds the memory of model " + other.model())
          .hasMessageContaining("expected that of model made-for-tests (2 layers of 3 heads, 13")
          .hasMessageContaining("Open it with the model that filled it");
    }
  }
}
