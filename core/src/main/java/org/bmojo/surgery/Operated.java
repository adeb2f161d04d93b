package org.bmojo.surgery;

import java.util.List;
import org.bmojo.model.LanguageModel;

/**
 * What an operation leaves.
 *
 * @param model shares weights with the model it was made of, which must outlive it
 * @param fresh names of the parameters that hold random numbers now, wholly or (as noted) in part
 */
public record Operated(LanguageModel model, List<String> fresh) {
  /** Copies {@code fresh}. */
  public Operated {
    fresh = List.copyOf(fresh);
  }
}
