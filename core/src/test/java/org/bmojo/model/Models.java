package org.bmojo.model;

import java.util.List;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.Selection;

/** Models small enough for tests. */
public final class Models {
  private Models() {}

  /** B'MOJO and a window, width 16, untied: every kind of part once. */
  public static ModelConfig mixed(int vocabulary) {
    EideticConfig eidetic = EideticConfig.of(3, 4, Selection.INNOVATION);
    AttentionConfig attention = new AttentionConfig(2, 1, 4, 5, 4, 3, true, true, 10_000, eidetic);
    AttentionConfig window = new AttentionConfig(2, 2, 8, 7, 0, 0, false, true, 0, null);
    return new ModelConfig(
        vocabulary,
        16,
        1e-5,
        false,
        List.of(
            new BlockConfig(new MixerConfig(new MambaConfig(3, 4, 2, 0), attention), 13),
            new BlockConfig(new MixerConfig(null, window), 0)));
  }
}
