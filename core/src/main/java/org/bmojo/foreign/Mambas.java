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

/** Mamba and Mamba-2 as the transformers library keeps them: a norm and a mixer per block. */
final class Mambas implements Architecture {
  private final boolean second;

  /**
   * @param second Mamba-2
   */
  Mambas(boolean second) {
    this.second = second;
  }

  @Override
  public String name() {
    return second ? "Mamba2ForCausalLM" : "MambaForCausalLM";
  }

  @Override
  public Translation read(Settings config) {
    config.require("hidden_act", "silu");
    SsmConfig ssm = second ? mamba2(config) : mamba(config);
    int layers = config.few("num_hidden_layers", second ? 64 : 32);
    BlockConfig block = new BlockConfig(new MixerConfig(ssm, null), 0);
    ModelConfig model =
        new ModelConfig(
            config.size("vocab_size"),
            config.size("hidden_size"),
            config.number("layer_norm_epsilon", 1e-5),
            config.flag("tie_word_embeddings", !second),
            Collections.nCopies(layers, block));
    return new Translation(model, names(layers, "backbone.embeddings.", "backbone.embedding."));
  }

  /** Names in a backbone. */
  static Renaming names(int layers, String... embeddings) {
    Renaming names =
        new Renaming()
            .map("embed_tokens.", embeddings)
            .map("norm.", "backbone.norm_f.")
            .map("lm_head.", "lm_head.");
    for (int i = 0; i < layers; i++) {
      String ours = "layers." + i, theirs = "backbone.layers." + i;
      names
          .map(ours + ".mixer_norm.", theirs + ".norm.")
          .map(ours + ".mixer.ssm.", theirs + ".mixer.");
    }
    return names;
  }

  private static MambaConfig mamba(Settings config) {
    String rank = config.node("time_step_rank").asString("");
    return new MambaConfig(
        config.size("state_size", 16),
        config.size("conv_kernel", 4),
        config.size("expand", 2),
        rank.equals("auto") ? 0 : config.size("time_step_rank", 0),
        config.flag("use_conv_bias", true),
        config.flag("use_bias", false),
        0);
  }

  private static Mamba2Config mamba2(Settings config) {
    int heads = config.size("num_heads", 128), dim = config.size("head_dim", 64);
    int inner = config.size("expand", 2) * config.size("hidden_size");
    if (heads * dim != inner) throw config.refused("num_heads", inner / dim + " for this width");
    int groups = config.size("n_groups", 8);
    return new Mamba2Config(
        heads,
        dim,
        config.size("state_size", 128),
        heads,
        groups,
        groups,
        config.size("conv_kernel", 4),
        config.flag("use_conv_bias", true),
        config.flag("use_bias", false),
        1,
        config.number("layer_norm_epsilon", 1e-5),
        false,
        0,
        config.element("time_step_limit", 0, 0),
        config.element("time_step_limit", 1, Double.POSITIVE_INFINITY));
  }

  @Override
  public @Nullable ObjectNode write(ModelConfig model) {
    ObjectNode config = Written.start(this, second ? "mamba2" : "mamba");
    config
        .put("vocab_size", model.vocabulary())
        .put("hidden_size", model.width())
        .put("num_hidden_layers", model.layers().size())
        .put("layer_norm_epsilon", model.normEps())
        .put("hidden_act", "silu")
        .put("residual_in_fp32", true)
        .put("tie_word_embeddings", model.tied());
    return switch (model.layers().getFirst().mixer().ssm()) {
      case MambaConfig m when !second -> {
        config
            .put("state_size", m.stateSize())
            .put("conv_kernel", m.convolution())
            .put("expand", m.expand())
            .put("intermediate_size", m.expand() * model.width())
            .put("use_conv_bias", m.convolutionBias())
            .put("use_bias", m.projectionBias());
        if (m.stepRank() == 0) config.put("time_step_rank", "auto");
        else config.put("time_step_rank", m.stepRank());
        yield config;
      }
      case Mamba2Config m when second -> {
        config
            .put("num_heads", m.heads())
            .put("head_dim", m.headDim())
            .put("n_groups", m.keyHeads())
            .put("state_size", m.stateSize())
            .put("conv_kernel", m.convolution())
            .put("expand", m.inner() / model.width())
            .put("use_conv_bias", m.convolutionBias())
            .put("use_bias", m.projectionBias());
        var limits = config.putArray("time_step_limit").add(m.minStep());
        if (Double.isFinite(m.maxStep())) limits.add(m.maxStep());
        else limits.addObject().put("__float__", "Infinity");
        yield config;
      }
      case null, default -> null;
    };
  }
}
