package org.bmojo.data;

import org.bmojo.error.BadInput;

/**
 * Which documents are held out. Only a document's name and the seed decide, so a document stays
 * where it is when others come or go.
 *
 * @param validationShare expected share of documents held out, 0 to below 1
 * @param seed other seeds hold out others
 */
public record Split(double validationShare, long seed) {
  /** One side of the split. */
  public enum Part {
    TRAIN,
    VALIDATION;

    String fileName() {
      return this == TRAIN ? "train" : "validation";
    }
  }

  /** Refuses a share that leaves nothing to train on. */
  public Split {
    if (!(validationShare >= 0 && validationShare < 1)) {
      throw new BadInput(
          "a validation share of " + validationShare, "expected 0 ≤ share < 1", "0.05 is usual");
    }
  }

  /** The side on which the document called {@code name} is. */
  public Part of(String name) {
    double uniform = (Hash.of(name, seed) >>> 11) * 0x1p-53; // in [0, 1)
    return uniform < validationShare ? Part.VALIDATION : Part.TRAIN;
  }
}
