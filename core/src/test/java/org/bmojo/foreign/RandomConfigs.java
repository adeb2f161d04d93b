package org.bmojo.foreign;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.bmojo.io.Json;
import tools.jackson.databind.node.ObjectNode;

/**
 * A {@code config.json} of any architecture, of sizes that nobody tuned for: few and odd heads, odd
 * widths, every switch either way.
 */
public final class RandomConfigs {
  /** All architectures that are written, so that what is read can be written again. */
  static final List<String> WRITTEN =
      Architectures.names().stream().filter(n -> !n.equals(StateSpaces.NAME)).toList();

  /** Sequences are to be shorter: beyond, dynamic rope depends on how they are split. */
  static final int LONGEST = 64;

  private static final String[] ROPES = {"default", "linear", "dynamic", "llama3", "yarn"};

  private final SplittableRandom random;
  private final ObjectNode config = Json.mapper().createObjectNode();

  private RandomConfigs(long seed) {
    random = new SplittableRandom(seed);
  }

  /** The seed chooses the numbers and the switches. */
  public static ObjectNode of(String architecture, long seed) {
    RandomConfigs it = new RandomConfigs(seed);
    it.config.putArray("architectures").add(architecture);
    it.config.put("vocab_size", it.between(5, 23)).put("tie_word_embeddings", it.flag());
    switch (architecture) {
      case "MambaForCausalLM" -> it.mamba();
      case "Mamba2ForCausalLM" -> it.mamba2();
      case "JambaForCausalLM" -> it.jamba();
      default -> it.transformer(architecture);
    }
    return it.config;
  }

  private int between(int low, int high) {
    return random.nextInt(low, high + 1);
  }

  private int oneOf(int... values) {
    return values[random.nextInt(values.length)];
  }

  private String oneOf(String... values) {
    return values[random.nextInt(values.length)];
  }

  private boolean flag() {
    return random.nextBoolean();
  }

  private void mamba() {
    config
        .put("hidden_size", between(3, 21))
        .put("num_hidden_layers", between(1, 3))
        .put("state_size", oneOf(1, 3, 7, 16))
        .put("conv_kernel", between(2, 5))
        .put("expand", between(1, 3))
        .put("use_bias", flag())
        .put("use_conv_bias", flag())
        .put("layer_norm_epsilon", 1e-6);
    if (flag()) config.put("time_step_rank", "auto");
    else config.put("time_step_rank", between(1, 5));
  }

  private void mamba2() {
    int groups = between(1, 3), heads = groups * between(1, 3), dim = oneOf(2, 4, 6);
    config
        .put("num_heads", heads)
        .put("head_dim", dim)
        .put("n_groups", groups)
        .put("expand", 2)
        .put("hidden_size", heads * dim / 2)
        .put("num_hidden_layers", between(1, 3))
        .put("state_size", oneOf(1, 3, 7, 16))
        .put("conv_kernel", between(2, 5))
        .put("use_bias", flag())
        .put("use_conv_bias", flag());
    var limits = config.putArray("time_step_limit").add(flag() ? 0 : 0.01);
    if (flag()) limits.add(0.3);
    else limits.addObject().put("__float__", "Infinity");
  }

  private void jamba() {
    int groups = between(1, 3), heads = groups * between(1, 3), experts = between(1, 5);
    int period = between(1, 3), often = between(2, 4);
    config
        .put("hidden_size", heads * oneOf(2, 4, 6))
        .put("intermediate_size", between(1, 17))
        .put("num_hidden_layers", between(often, 5))
        .put("num_attention_heads", heads)
        .put("num_key_value_heads", groups)
        .put("attn_layer_period", often)
        .put("attn_layer_offset", random.nextInt(often))
        .put("expert_layer_period", period)
        .put("expert_layer_offset", random.nextInt(period))
        .put("num_experts", experts)
        .put("num_experts_per_tok", between(1, experts))
        .put("mamba_d_state", oneOf(1, 3, 7))
        .put("mamba_d_conv", between(2, 5))
        .put("mamba_expand", between(1, 3))
        .put("mamba_dt_rank", between(1, 4))
        .put("mamba_conv_bias", flag())
        .put("mamba_proj_bias", flag());
  }

  private void transformer(String architecture) {
    int groups = between(1, 3), heads = groups * between(1, 3), layers = between(1, 4);
    config
        .put("hidden_size", between(5, 21))
        .put("intermediate_size", between(1, 17))
        .put("num_hidden_layers", layers)
        .put("num_attention_heads", heads)
        .put("num_key_value_heads", groups)
        .put("head_dim", oneOf(2, 4, 6, 10))
        .put("rms_norm_eps", 1e-5)
        .put("attention_bias", flag())
        .put("mlp_bias", flag())
        .put("max_position_embeddings", LONGEST);
    rope();
    switch (architecture) {
      case "MistralForCausalLM" -> window();
      case "MixtralForCausalLM" -> {
        int experts = between(1, 5);
        config.put("num_local_experts", experts).put("num_experts_per_tok", between(1, experts));
        window();
      }
      case "Qwen2ForCausalLM", "Qwen3ForCausalLM" -> {
        config.put("use_sliding_window", flag()).put("sliding_window", between(1, 9));
        config.put("max_window_layers", between(0, layers));
      }
      case "LlamaForCausalLM" -> {}
      default -> hybrid(layers);
    }
  }

  private void window() {
    if (flag()) config.put("sliding_window", between(1, 9));
    else config.putNull("sliding_window");
  }

  private void rope() {
    String kind = oneOf(ROPES);
    ObjectNode rope = config.putObject("rope_parameters").put("rope_theta", oneOf(100, 10_000));
    rope.put("rope_type", kind).put("factor", oneOf(2, 8) + (flag() ? 0 : 0.7));
    if (kind.equals("llama3")) {
      rope.put("low_freq_factor", 1).put("high_freq_factor", between(2, 5));
      rope.put("original_max_position_embeddings", between(8, 60));
    }
    if (kind.equals("yarn")) {
      rope.put("original_max_position_embeddings", between(8, 60)).put("truncate", flag());
      if (flag()) rope.put("attention_factor", 1.3);
    }
  }

  private void hybrid(int layers) {
    String fading = oneOf("mamba2", "gdn", "gka");
    List<String> symbols = new ArrayList<>(List.of("BMF")); // at least one
    while (symbols.size() < layers) symbols.add(oneOf("*", "SWA", "M2", "GDN", "GKA", "BMF"));
    config.put("hybrid_override_pattern", String.join("-", symbols));
    config
        .putObject("bmojo_config")
        .put("window_size", between(1, 9))
        .put("tie_attn_weights", flag())
        .put("ssm_mixer", fading);
    config.putObject("swa_config").put("window_size", between(1, 9));
    config.putObject("mamba2_config").put("use_qk_norm", flag());
    heads(config.putObject("gdn_config"))
        .put("use_short_conv", flag())
        .put("conv_bias", flag())
        .put("allow_neg_eigval", flag());
    heads(config.putObject("gka_config"))
        .put("use_v_conv", flag())
        .put("num_iter", oneOf(0, 1, 30))
        .put("use_alpha_connection", flag())
        .put("use_beta_gate", flag())
        .put("use_forgetting_gate", flag())
        .put("use_forgetting_gate_kk", flag())
        .put("gla_rescale", flag());
  }

  private ObjectNode heads(ObjectNode own) {
    own.put("conv_size", between(2, 5)).put("use_gate", flag());
    if (flag()) own.put("kv_proj_rank", between(1, 4)).put("kv_learnable_residual", flag());
    return own;
  }
}
