package org.bmojo.foreign;

import java.util.Collections;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.mixer.SsmConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Mamba and Mamba-2 as their authors keep them: a {@code config.json} without {@code
 * architectures}, but with {@code d_model} and {@code n_layer}.
 */
final class StateSpaces implements Architecture {
  /** Not a value that any file has: such files are told by their keys. */
  static final String NAME = "MambaLMHeadModel";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Translation read(Settings config) {
    if (config.count("d_intermediate", 0) > 0) throw config.refused("d_intermediate", "0");
    if (!config.node("attn_layer_idx").isEmpty()) throw config.refused("attn_layer_idx", "none");
    if (!config.flag("rms_norm", true)) throw config.refused("rms_norm", "true");
    int width = config.size("d_model"), layers = config.few("n_layer");
    Settings ssm = config.part("ssm_cfg");
    SsmConfig mixer =
        switch (ssm.text("layer", "Mamba1")) {
          case "Mamba1" -> mamba(ssm);
          case "Mamba2" -> mamba2(ssm, width);
          default -> throw ssm.refused("layer", "Mamba1 or Mamba2");
        };
    // The embedding is padded so that its rows are a multiple.
    int multiple = config.size("pad_vocab_size_multiple", 8);
    int vocabulary = Math.ceilDiv(config.size("vocab_size"), multiple) * multiple;
    BlockConfig block = new BlockConfig(new MixerConfig(mixer, null), 0);
    ModelConfig model =
        new ModelConfig(
            vocabulary,
            width,
            1e-5,
            config.flag("tie_embeddings", true),
            Collections.nCopies(layers, block));
    return new Translation(
        model, Mambas.names(layers, "backbone.embedding.", "backbone.embeddings."));
  }

  private static MambaConfig mamba(Settings ssm) {
    boolean auto = ssm.node("dt_rank").asString("").equals("auto");
    return new MambaConfig(
        ssm.size("d_state", 16),
        ssm.size("d_conv", 4),
        ssm.size("expand", 2),
        auto ? 0 : ssm.size("dt_rank", 0),
        ssm.flag("conv_bias", true),
        ssm.flag("bias", false),
        0);
  }

  private static Mamba2Config mamba2(Settings ssm, int width) {
    if (ssm.flag("norm_before_gate", false)) throw ssm.refused("norm_before_gate", "false");
    if (!ssm.flag("rmsnorm", true)) throw ssm.refused("rmsnorm", "true");
    if (ssm.flag("D_has_hdim", false)) throw ssm.refused("D_has_hdim", "false");
    if (ssm.has("d_ssm")) throw ssm.refused("d_ssm", "none");
    int dim = ssm.size("headdim", 64), groups = ssm.size("ngroups", 1);
    int heads = ssm.size("expand", 2) * width / dim;
    return new Mamba2Config(
        heads,
        dim,
        ssm.size("d_state", 128),
        heads,
        groups,
        groups,
        ssm.size("d_conv", 4),
        ssm.flag("conv_bias", true),
        ssm.flag("bias", false),
        groups,
        1e-5,
        false,
        0,
        ssm.element("dt_limit", 0, 0),
        ssm.element("dt_limit", 1, Double.POSITIVE_INFINITY));
  }

  /** {@link Mambas} write these. */
  @Override
  public @Nullable ObjectNode write(ModelConfig config) {
    return null;
  }
}
