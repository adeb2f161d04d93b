package org.bmojo.eval;

import java.util.function.IntFunction;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.Footprint;
import org.bmojo.model.ModelConfig;

/**
 * Models that remember equally much: a B'MOJO, and its two parents with a window or a state large
 * enough to take as many bytes per sequence. Mixers only, no perceptrons, as recall is compared in
 * the literature (Arora et al. 2023).
 *
 * @param vocabulary of the task
 * @param width d, one head
 * @param layers equal ones
 * @param window W and F
 * @param states N of B'MOJO's Mamba
 * @param eidetic E
 * @param chunk C
 * @param selection who is kept
 */
public record EqualState(
    int vocabulary,
    int width,
    int layers,
    int window,
    int states,
    int eidetic,
    int chunk,
    Selection selection) {
  private static final double ROPE_BASE = 10_000;
  private static final long FAR = 1 << 20; // Tokens after which every bounded memory is full.
  private static final int CONVOLUTION = 4;

  /** Window, fading and eidetic memory. */
  public ModelConfig bmojo() {
    EideticConfig memory = EideticConfig.of(eidetic, chunk, selection);
    AttentionConfig attention =
        new AttentionConfig(
            1, 1, width, window, window, CONVOLUTION, false, true, ROPE_BASE, memory);
    return uniform(new MixerConfig(mamba(states).ssm(), attention));
  }

  /** A window alone, behind the same short convolution, of B'MOJO's bytes or a little less. */
  public ModelConfig sliding() {
    return largest(w ->
        uniform(
            new MixerConfig(
                null,
                new AttentionConfig(
                    1, 1, width, w, 0, CONVOLUTION, false, true, ROPE_BASE, null))));
  }

  /** Mamba alone, of B'MOJO's bytes or a little less. */
  public ModelConfig mamba() {
    return largest(n -> uniform(mamba(n)));
  }

  private static MixerConfig mamba(int states) {
    return new MixerConfig(new MambaConfig(states, CONVOLUTION, 2, 0), null);
  }

  private ModelConfig uniform(MixerConfig mixer) {
    return ModelConfig.uniform(vocabulary, width, layers, new BlockConfig(mixer, 0));
  }

  private ModelConfig largest(IntFunction<ModelConfig> bySize) {
    long budget = Footprint.stateBytes(bmojo(), FAR);
    int size = 1;
    while (Footprint.stateBytes(bySize.apply(size + 1), FAR) <= budget) size++;
    return bySize.apply(size);
  }
}
