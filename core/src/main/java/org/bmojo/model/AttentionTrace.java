package org.bmojo.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.mixer.AttentionWeights;
import org.bmojo.tape.Tape;

/**
 * What a token attended to, layer by layer.
 *
 * @param position of the token
 * @param layers those with attention
 */
public record AttentionTrace(long position, List<Layer> layers) {
  /**
   * One layer.
   *
   * @param layer from 0, those without attention counted
   */
  public record Layer(int layer, AttentionWeights weights) {}

  /**
   * Reads {@code ids}, and tells what the last one attends to. Takes the general step, whatever
   * quicker form the model would choose.
   *
   * @param ids at least one
   * @param state of one sequence, advanced past the ids
   * @throws BadInput if there is no id, or another number of sequences
   */
  public static AttentionTrace of(LanguageModel model, int[] ids, ModelState state) {
    if (ids.length == 0 || state.batch() != 1) {
      throw new BadInput(
          ids.length + " ids for " + state.batch() + " sequences",
          "expected at least one id, and one sequence",
          "Pass the token that is to be explained, and a state of its sequence alone");
    }
    int last = ids.length - 1;
    List<Layer> seen = new ArrayList<>();
    try (Scope _ = new Scope();
        Tape tape = Tape.off()) {
      if (last > 0) {
        model.hidden(tape, Ids.tensor(Arrays.copyOf(ids, last)), state);
      }
      long position = state.position();
      for (int i = 0; i < state.layers().size(); i++) {
        int layer = i;
        state.layers().get(i).watch(weights -> seen.add(new Layer(layer, weights)));
      }
      try {
        model.generalStep(Ids.column(ids[last]), state);
      } finally {
        state.layers().forEach(layer -> layer.watch(null));
      }
      return new AttentionTrace(position, List.copyOf(seen));
    }
  }
}
