package org.bmojo.store;

import org.bmojo.error.BadInput;

/**
 * Whose memory a store holds: keys of one model mean nothing to another, even of the same shape.
 *
 * @param dimension D, of keys and values
 * @param layers of the model
 * @param heads G, key/value heads of a layer
 * @param model fingerprint of the weights that made the keys
 */
public record StoreIdentity(int dimension, int layers, int heads, String model) {
  /** Refuses models without keys. */
  public StoreIdentity {
    if (dimension < 1 || layers < 1 || heads < 1 || model.isBlank()) {
      throw new BadInput(
          "a store for " + dimension + " dimensions, " + layers + " layers, " + heads + " heads",
          "expected at least 1 of each, and the model's fingerprint",
          "Take them from the model");
    }
  }

  /**
   * Refuses to use a store that another model filled.
   *
   * @param found what the store at {@code where} says of itself
   * @throws BadInput if anything differs
   */
  public void check(StoreIdentity found, String where) {
    if (equals(found)) return;
    throw new BadInput(
        where + " holds the memory of " + found.words(),
        "expected that of " + words(),
        "Open it with the model that filled it, or choose another folder");
  }

  /**
   * Refuses entries that do not belong into this store.
   *
   * @throws BadInput naming the entry's position and what is wrong with it
   */
  public void check(Entry entry) {
    String where = "entry at position " + entry.position() + " of " + entry.source().session();
    checkPlace(where, entry.layer(), entry.head());
    checkVector(where + ": key", entry.key());
    checkVector(where + ": value", entry.value());
    if (entry.position() < 0 || Float.isNaN(entry.innovation())) {
      throw new BadInput(
          where + " has innovation " + entry.innovation(),
          "expected a position ≥ 0 and a number",
          "Check the layer that wrote it");
    }
  }

  /**
   * Refuses searches that no entry of this store could answer.
   *
   * @throws BadInput naming what does not fit
   */
  public void checkSearch(int layer, int head, float[][] queries, int best) {
    checkPlace("search", layer, head);
    for (float[] query : queries) checkVector("query", query);
    if (best < 1) {
      throw new BadInput("search for " + best + " entries", "expected at least 1", "Raise it");
    }
  }

  private void checkPlace(String where, int layer, int head) {
    if (layer >= 0 && layer < layers && head >= 0 && head < heads) return;
    throw new BadInput(
        where + " is of layer " + layer + ", head " + head,
        "expected layer < " + layers + " and head < " + heads,
        "Use the store of this model");
  }

  private void checkVector(String where, float[] vector) {
    if (vector.length != dimension) {
      throw new BadInput(
          where + " has " + vector.length + " dimensions",
          "expected " + dimension,
          "Use the store of this model");
    }
    for (float x : vector) {
      if (!Float.isFinite(x)) {
        throw new BadInput(
            where + " contains " + x, "expected finite numbers", "Check the layer that made it");
      }
    }
  }

  private String words() {
    return "model %s (%d layers of %d heads, %d dimensions)"
        .formatted(model, layers, heads, dimension);
  }
}
