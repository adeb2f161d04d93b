package org.bmojo.foreign;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.bmojo.error.BadInput;
import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.MixerConfig;
import org.bmojo.model.BlockConfig;
import org.bmojo.model.BlockConfig.ExpertsConfig;
import org.bmojo.model.ModelConfig;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Jamba: Mamba blocks with an attention block (without positions) every so often, and every so
 * often experts in place of a perceptron.
 */
final class Jamba implements Architecture {
  @Override
  public String name() {
    return "JambaForCausalLM";
  }

  @Override
  public Translation read(Settings config) {
    config.require("hidden_act", "silu");
    int layers = config.few("num_hidden_layers");
    double eps = config.number("rms_norm_eps", 1e-6);
    int count = config.few("num_experts", 16);
    Every attends = Every.read(config, "attn_layer", 8, 4);
    Every chooses = Every.read(config, "expert_layer", 2, 1);
    List<BlockConfig> blocks = new ArrayList<>();
    Renaming names =
        new Renaming()
            .map("embed_tokens.", "model.embed_tokens.")
            .map("norm.", "model.final_layernorm.")
            .map("lm_head.", "lm_head.");
    for (int i = 0; i < layers; i++) {
      boolean attention = attends.holds(i);
      MixerConfig mixer =
          attention
              ? new MixerConfig(null, attention(config))
              : new MixerConfig(mamba(config, eps), null);
      boolean several = count > 1 && chooses.holds(i);
      ExpertsConfig experts =
          several ? new ExpertsConfig(count, config.size("num_experts_per_tok", 2), false) : null;
      blocks.add(new BlockConfig(mixer, config.size("intermediate_size"), false, experts));
      String ours = "layers." + i, theirs = "model.layers." + i;
      names
          .map(ours + ".mixer_norm.", theirs + ".input_layernorm.")
          .map(ours + ".mlp_norm.", theirs + ".pre_ff_layernorm.")
          .map(ours + ".mlp.", theirs + ".feed_forward.")
          .map(ours + ".mixer.ssm.", theirs + ".mamba.")
          .map(ours + ".mixer.", theirs + ".self_attn.");
    }
    ModelConfig model =
        new ModelConfig(
            config.size("vocab_size"),
            config.size("hidden_size"),
            eps,
            config.flag("tie_word_embeddings", false),
            blocks);
    return new Translation(model, names);
  }

  private static AttentionConfig attention(Settings config) {
    int heads = config.size("num_attention_heads");
    int groups =
        config.mentions("num_key_value_heads") ? config.size("num_key_value_heads", heads) : 8;
    int dim = config.size("hidden_size") / heads;
    return new AttentionConfig(heads, groups, dim, null, 0, 0, false, true, 0, null);
  }

  private static MambaConfig mamba(Settings config, double eps) {
    boolean auto = config.node("mamba_dt_rank").asString("auto").equals("auto");
    return new MambaConfig(
        config.size("mamba_d_state", 16),
        config.size("mamba_d_conv", 4),
        config.size("mamba_expand", 2),
        auto ? 0 : config.size("mamba_dt_rank"),
        config.flag("mamba_conv_bias", true),
        config.flag("mamba_proj_bias", false),
        eps);
  }

  /** Layers offset, offset + period, offset + 2·period, … */
  private record Every(int period, int offset) {
    static Every read(Settings config, String what, int period, int offset) {
      Every every =
          new Every(config.size(what + "_period", period), config.count(what + "_offset", offset));
      if (every.offset < every.period) return every;
      throw new BadInput(
          config.where() + " has " + what + "_offset = " + every.offset,
          "expected less than " + what + "_period = " + every.period,
          "Correct one of them");
    }

    boolean holds(int layer) {
      return layer % period == offset;
    }

    /** The rule that picks just these layers; null where there is none. */
    static @Nullable Every of(List<BlockConfig> blocks, Predicate<BlockConfig> chosen) {
      int layers = blocks.size();
      for (int period = 1; period <= layers + 1; period++) {
        for (int offset = 0; offset < period; offset++) {
          Every every = new Every(period, offset);
          boolean fits = true;
          for (int i = 0; i < layers && fits; i++) {
            fits = every.holds(i) == chosen.test(blocks.get(i));
          }
          if (fits) return every;
        }
      }
      return null;
    }
  }

  @Override
  public @Nullable ObjectNode write(ModelConfig model) {
    Every attends = Every.of(model.layers(), b -> b.mixer().attention() != null);
    Every chooses = Every.of(model.layers(), b -> b.experts() != null);
    AttentionConfig attention = null;
    MambaConfig mamba = null;
    ExpertsConfig experts = null;
    for (BlockConfig block : model.layers()) {
      if (block.mixer().attention() != null) attention = block.mixer().attention();
      if (block.mixer().ssm() instanceof MambaConfig m) mamba = m;
      if (block.experts() != null) experts = block.experts();
    }
    if (attends == null || chooses == null || attention == null || mamba == null) return null;
    ObjectNode config =
        Written.start(this, "jamba")
            .put("vocab_size", model.vocabulary())
            .put("hidden_size", model.width())
            .put("num_hidden_layers", model.layers().size())
            .put("intermediate_size", model.layers().getFirst().mlp())
            .put("hidden_act", "silu")
            .put("rms_norm_eps", model.normEps())
            .put("tie_word_embeddings", model.tied())
            .put("num_attention_heads", attention.heads())
            .put("num_key_value_heads", attention.kvHeads())
            .put("attn_layer_period", attends.period)
            .put("attn_layer_offset", attends.offset)
            .put("expert_layer_period", chooses.period)
            .put("expert_layer_offset", chooses.offset)
            .put("num_experts", experts == null ? 1 : experts.count())
            .put("num_experts_per_tok", experts == null ? 1 : experts.chosen())
            .put("use_mamba_kernels", false)
            .put("mamba_d_state", mamba.stateSize())
            .put("mamba_d_conv", mamba.convolution())
            .put("mamba_expand", mamba.expand())
            .put("mamba_conv_bias", mamba.convolutionBias())
            .put("mamba_proj_bias", mamba.projectionBias());
    if (mamba.stepRank() == 0) config.put("mamba_dt_rank", "auto");
    else config.put("mamba_dt_rank", mamba.stepRank());
    return config;
  }
}
