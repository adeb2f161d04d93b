package org.bmojo.mixer;

import java.util.Locale;
import org.bmojo.error.BadInput;
import org.jspecify.annotations.Nullable;

/**
 * One sequence-mixing layer: which of the four memories it has.
 *
 * <table>
 *   <caption>Special cases</caption>
 *   <tr><th>model</th><th>ssm</th><th>attention</th></tr>
 *   <tr><td>Transformer</td><td>–</td><td>window null, fading 0, no eidetic</td></tr>
 *   <tr><td>Mistral</td><td>–</td><td>window W, fading 0, no eidetic</td></tr>
 *   <tr><td>Mamba</td><td>yes</td><td>–</td></tr>
 *   <tr><td>B'MOJO-F</td><td>yes</td><td>window W, fading F, no eidetic</td></tr>
 *   <tr><td>B'MOJO</td><td>yes</td><td>window W, fading F, eidetic E</td></tr>
 * </table>
 *
 * @param ssm fading memory in a state; null for none
 * @param attention short-term and long-term memory in keys and values; null for none
 * @param stateOutput in a layer that has both, whether the state's output joins attention's: a
 *     token then reaches the next layer by way of the state too, not only as somebody's key
 */
public record MixerConfig(
    @Nullable SsmConfig ssm, @Nullable AttentionConfig attention, boolean stateOutput) {
  /** The same where attention's output alone counts, if there is attention. */
  public MixerConfig(@Nullable SsmConfig ssm, @Nullable AttentionConfig attention) {
    this(ssm, attention, false);
  }

  /** Refuses a layer without any memory, or one that reads a state it lacks. */
  public MixerConfig {
    if (ssm == null && attention == null) {
      throw new BadInput(
          "a layer with neither ssm nor attention", "expected at least one", "add one of them");
    }
    if (stateOutput && (ssm == null || attention == null)) {
      throw new BadInput(
          "stateOutput in a layer with one output",
          "expected both ssm and attention",
          "set stateOutput to false, or add the other part");
    }
    if (ssm == null && attention != null) {
      if (attention.fading() > 0) {
        throw new BadInput(
            "fading = " + attention.fading() + " in a layer without ssm",
            "expected fading = 0, since fading keys are read from the state",
            "add an ssm or set fading to 0");
      }
      EideticConfig eidetic = attention.eidetic();
      if (eidetic != null && eidetic.selection().readsState()) {
        throw new BadInput(
            "selection = %s in a layer without ssm"
                .formatted(eidetic.selection().name().toLowerCase(Locale.ROOT)),
            "expected a selection that needs no state, such as importance or filter",
            "add an ssm or choose another selection");
      }
    }
  }

  /** This with another attention. */
  public MixerConfig with(AttentionConfig other) {
    return new MixerConfig(ssm, other, stateOutput);
  }
}
