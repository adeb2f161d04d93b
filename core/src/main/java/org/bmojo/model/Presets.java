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
 * within 3 % of each other at every size. A transformer block has 12·d² weights; a Mamba block
 * about 6·d², so there are twice as many; a B'MOJO block has both, so that its perceptron is
 * narrower.
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

  private Presets() {}

  /** {@code family} at {@code size}. */
  public static ModelConfig of(Family family, Size size, int vocabulary) {
    int d = size.width;
    int full = multiple(8.0 / 3 * d); // 12·d² in a transformer block
    AttentionConfig all = attention(size, null, 0, 0, null);
    AttentionConfig window = attention(size, WINDOW, 0, 0, null);
    MixerConfig mamba = new MixerConfig(MambaConfig.standard(), null);
    List<BlockConfig> layers = new ArrayList<>();
    switch (family) {
      case TRANSFORMER, SLIDING -> {
        MixerConfig mixer = new MixerConfig(null, family == Family.SLIDING ? window : all);
        for (int i = 0; i < size.layers; i++) layers.add(new BlockConfig(mixer, full));
      }
      case MAMBA -> {
        for (int i = 0; i < 2 * size.layers; i++) layers.add(new BlockConfig(mamba, 0));
      }
      case HYBRID -> {
        // Jamba-like: Mamba and a window take turns, a perceptron follows each.
        for (int i = 0; i < size.layers; i++) {
          boolean even = i % 2 == 0;
          // A Mamba mixer is 2.2·d² larger than attention: taken from its perceptron.
          layers.add(
              even
                  ? new BlockConfig(mamba, multiple(full - mambaExcess(d)))
                  : new BlockConfig(new MixerConfig(null, window), full));
        }
      }
      case BMOJO_F, BMOJO -> {
        EideticConfig memory =
            family == Family.BMOJO ? EideticConfig.of(EIDETIC, CHUNK, Selection.INNOVATION) : null;
        AttentionConfig attention = attention(size, WINDOW, WINDOW, 4, memory);
        MixerConfig mixer = new MixerConfig(MambaConfig.standard(), attention);
        // Five layers for six of the transformer's: half of what a perceptron loses is depth.
        int count = size.layers * 5 / 6;
        double block = 12.0 * d * d * size.layers / count;
        double mixing = mambaWeights(d) + 4.0 * d * d;
        int mlp = multiple((block - mixing) / (3.0 * d));
        for (int i = 0; i < count; i++) layers.add(new BlockConfig(mixer, mlp));
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

  /** By how much a SwiGLU must be narrower to pay for Mamba in place of attention. */
  private static double mambaExcess(int d) {
    return (mambaWeights(d) - 4.0 * d * d) / (3.0 * d);
  }

  private static int multiple(double width) {
    return (int) Math.round(width / 64) * 64;
  }
}
