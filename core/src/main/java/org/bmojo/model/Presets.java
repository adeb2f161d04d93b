package org.bmojo.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.bmojo.error.BadInput;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.jspecify.annotations.Nullable;

/**
 * The model families at the sizes of the Mamba paper (table 12, appendix E.2), with parameters
 * within 3 % of each other at every size. A Mamba block has about 6.3·d² weights and no perceptron;
 * there are two of them for one block of a transformer, whose perceptron takes what attention
 * leaves. A B'MOJO is a Mamba in which every fifth or sixth layer has attention over all memories
 * beside its state space: that learnt faster than ten such layers with perceptrons, and than Mamba
 * (docs/decisions/0010).
 */
public final class Presets {
  /** Which memories. */
  public enum Family {
    TRANSFORMER,
    SLIDING,
    MAMBA,
    HYBRID,
    BMOJO_F,
    BMOJO
  }

  /**
   * How large.
   *
   * @param label as in the literature
   * @param layers of the transformer
   */
  public enum Size {
    S130M("130m", 768, 12, 64),
    S370M("370m", 1024, 24, 64),
    S790M("790m", 1536, 24, 96),
    S1_4B("1.4b", 2048, 24, 64);

    private final String label;
    private final int width;
    private final int layers;
    private final int headDim;

    Size(String label, int width, int layers, int headDim) {
      this.label = label;
      this.width = width;
      this.layers = layers;
      this.headDim = headDim;
    }
  }

  private static final double ROPE_BASE = 10_000;
  private static final int WINDOW = 512;
  private static final int EIDETIC = 128;
  private static final int CHUNK = 128;

  /** b of the eidetic score at first: keys from far away weigh e⁻⁴ until training finds a use. */
  private static final double CLOSED = -4;

  /** Of each 22 layers of a B'MOJO, those with all memories; the others are Mamba alone. */
  private static final List<Integer> WHOLE = List.of(3, 9, 15, 20);

  private Presets() {}

  /** {@code family} at {@code size}. */
  public static ModelConfig of(Family family, Size size, int vocabulary) {
    int d = size.width;
    double mixing = mambaWeights(d), attending = 4.0 * d * d;
    double block = 2 * mixing; // two Mamba blocks weigh as much as one of any other family
    int besideAttention = perceptron(block - attending, d);
    AttentionConfig all = attention(size, null, 0, 0, null);
    AttentionConfig window = attention(size, WINDOW, 0, 0, null);
    MixerConfig mamba = new MixerConfig(MambaConfig.standard(), null);
    List<BlockConfig> layers = new ArrayList<>();
    switch (family) {
      case TRANSFORMER, SLIDING -> {
        MixerConfig mixer = new MixerConfig(null, family == Family.SLIDING ? window : all);
        for (int i = 0; i < size.layers; i++) layers.add(new BlockConfig(mixer, besideAttention));
      }
      case MAMBA -> {
        for (int i = 0; i < 2 * size.layers; i++) layers.add(new BlockConfig(mamba, 0));
      }
      case HYBRID -> {
        // Jamba-like: Mamba and a window take turns, a perceptron follows each.
        for (int i = 0; i < size.layers; i++) {
          layers.add(
              i % 2 == 0
                  ? new BlockConfig(mamba, perceptron(block - mixing, d))
                  : new BlockConfig(new MixerConfig(null, window), besideAttention));
        }
      }
      case BMOJO_F, BMOJO -> {
        EideticConfig memory =
            family == Family.BMOJO
                ? EideticConfig.of(EIDETIC, CHUNK, Selection.CONTEXTUAL)
                    .startingAt(CLOSED)
                    .eligible(true) // docs/decisions/0011
                : null;
        AttentionConfig attention = attention(size, WINDOW, WINDOW, 4, memory);
        MixerConfig whole = new MixerConfig(MambaConfig.standard(), attention, true);
        // As many layers as Mamba has, less what attention weighs.
        for (int i = 0; i < 2 * size.layers - size.layers / 6; i++) {
          layers.add(new BlockConfig(WHOLE.contains(i % 22) ? whole : mamba, 0));
        }
      }
    }
    return new ModelConfig(vocabulary, d, 1e-5, true, layers);
  }

  /** The preset called {@code name}, such as {@code bmojo-130m} or {@code mamba-1.4b}. */
  public static ModelConfig named(String name, int vocabulary) {
    for (Family family : Family.values()) {
      for (Size size : Size.values()) {
        if (name(family, size).equals(name)) return of(family, size, vocabulary);
      }
    }
    throw new BadInput(
        "preset " + name, "expected one of " + String.join(", ", names()), "choose one of them");
  }

  /** All presets' names. */
  public static List<String> names() {
    return Arrays.stream(Family.values())
        .flatMap(f -> Arrays.stream(Size.values()).map(s -> name(f, s)))
        .collect(Collectors.toList());
  }

  private static String name(Family family, Size size) {
    return family.name().toLowerCase(Locale.ROOT).replace('_', '-') + "-" + size.label;
  }

  private static AttentionConfig attention(
      Size size,
      @Nullable Integer window,
      int fading,
      int convolution,
      @Nullable EideticConfig eidetic) {
    int heads = size.width / size.headDim;
    return new AttentionConfig(
        heads, heads, size.headDim, window, fading, convolution, false, true, ROPE_BASE, eidetic);
  }

  /** Weights of a Mamba mixer with its published defaults. */
  private static double mambaWeights(int d) {
    double inner = 2.0 * d;
    double rank = MambaConfig.standard().stepRank(d);
    return 3 * inner * d + inner * (rank + 32) + inner * rank + inner * (4 + 16 + 3);
  }

  /** Inner width of a SwiGLU of so many weights, a multiple of 64. */
  private static int perceptron(double weights, int d) {
    return (int) Math.round(weights / (3.0 * d) / 64) * 64;
  }
}
