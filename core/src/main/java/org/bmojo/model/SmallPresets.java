package org.bmojo.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.bmojo.error.BadInput;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;
import org.jspecify.annotations.Nullable;

/**
 * Models that a laptop trains in minutes. At each size all families have the same width, depth and
 * perceptron and differ in the mixer alone; for comparisons at equal parameters see {@link
 * Presets}.
 */
public final class SmallPresets {
  /** How large: d, layers, W and F, E, C. */
  private enum Size {
    TINY(64, 2, 32, 16, 16),
    SMALL(128, 4, 64, 32, 32),
    MEDIUM(256, 6, 128, 64, 64);

    private final int width;
    private final int layers;
    private final int window;
    private final int eidetic;
    private final int chunk;

    Size(int width, int layers, int window, int eidetic, int chunk) {
      this.width = width;
      this.layers = layers;
      this.window = window;
      this.eidetic = eidetic;
      this.chunk = chunk;
    }
  }

  private static final int HEAD_DIM = 32;
  private static final double ROPE_BASE = 10_000;

  private SmallPresets() {}

  /**
   * The model called {@code name}, such as {@code bmojo-tiny} or {@code mamba-medium}; every name
   * of {@link Presets} as well.
   */
  public static ModelConfig named(String name, int vocabulary) {
    for (Presets.Family family : Presets.Family.values()) {
      for (Size size : Size.values()) {
        if (name(family, size).equals(name)) return of(family, size, vocabulary);
      }
    }
    if (Presets.names().contains(name)) return Presets.named(name, vocabulary);
    throw new BadInput(
        "model " + name,
        "expected one of " + String.join(", ", names()),
        "Choose one of them, or name a config.json");
  }

  /** All names, small ones first. */
  public static List<String> names() {
    List<String> names = new ArrayList<>();
    for (Size size : Size.values()) {
      Arrays.stream(Presets.Family.values()).map(f -> name(f, size)).forEach(names::add);
    }
    names.addAll(Presets.names());
    return names;
  }

  private static ModelConfig of(Presets.Family family, Size size, int vocabulary) {
    int mlp = 2 * size.width;
    MambaConfig ssm = MambaConfig.standard();
    MixerConfig window = new MixerConfig(null, attention(size, size.window, 0, null));
    MixerConfig mamba = new MixerConfig(ssm, null);
    EideticConfig eidetic =
        EideticConfig.of(size.eidetic, size.chunk, Selection.INNOVATION).predictingFrom(true);
    List<BlockConfig> layers = new ArrayList<>();
    for (int i = 0; i < size.layers; i++) {
      MixerConfig mixer =
          switch (family) {
            case TRANSFORMER -> new MixerConfig(null, attention(size, null, 0, null));
            case SLIDING -> window;
            case MAMBA -> mamba;
            case HYBRID -> i % 2 == 0 ? mamba : window;
            case BMOJO_F ->
                new MixerConfig(ssm, attention(size, size.window, size.window, null), true);
            case BMOJO ->
                new MixerConfig(ssm, attention(size, size.window, size.window, eidetic), true);
          };
      layers.add(new BlockConfig(mixer, mlp));
    }
    return new ModelConfig(vocabulary, size.width, 1e-5, true, layers);
  }

  private static AttentionConfig attention(
      Size size, @Nullable Integer window, int fading, @Nullable EideticConfig eidetic) {
    int heads = size.width / HEAD_DIM;
    int convolution = fading > 0 ? 4 : 0;
    return new AttentionConfig(
        heads, heads, HEAD_DIM, window, fading, convolution, false, true, ROPE_BASE, eidetic);
  }

  private static String name(Presets.Family family, Size size) {
    return (family + "-" + size).toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
