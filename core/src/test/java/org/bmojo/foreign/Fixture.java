package org.bmojo.foreign;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Objects;
import org.bmojo.checkpoint.Checkpoint;
import org.bmojo.checkpoint.Safetensors;
import org.bytedeco.pytorch.Tensor;

/** A tiny model and what its own library computes with it. */
record Fixture(String name, Path folder) {
  /** Every model there is. */
  static final String[] MODELS = {
    "mamba",
    "mamba2",
    "mistral_swa",
    "llama",
    "qwen3",
    "jamba",
    "hqwen3_m2",
    "hqwen3_gdn",
    "hqwen3_gka",
    "hqwen3_swa",
    "hqwen3_bmf_m2",
    "hqwen3_bmf_gdn",
    "hqwen3_bmf_gka",
    "hllama_bmf_m2"
  };

  static Fixture of(String name) {
    try {
      return new Fixture(
          name, Path.of(Objects.requireNonNull(Fixture.class.getResource(name), name).toURI()));
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  Checkpoint open() {
    return Checkpoint.open(folder);
  }

  Safetensors golden() {
    return Safetensors.open(folder.resolve("golden.safetensors"));
  }

  Safetensors gradients() {
    return Safetensors.open(folder.resolve("grads"));
  }

  /** Thirty iterations of a solver amplify rounding. */
  double tolerance() {
    return name.contains("gka") ? 1e-4 : 2e-5;
  }

  /**
   * The same; jamba's steps come within 2.03e-5 in the cpu room, whose exponential is a polynomial.
   */
  double stepTolerance() {
    return name.equals("jamba") ? 2.5e-5 : tolerance();
  }

  /** The same; twice that for the ill-conditioned one. */
  double hiddenTolerance() {
    return switch (name) {
      case "hllama_bmf_m2" -> 4e-5;
      case "jamba" -> 6e-5; // 4.0e-5 in the cpu room; its hidden states are large
      default -> tolerance();
    };
  }

  /**
   * 1e-4, but for two whose float32 gradients are not known so well: in both, some head's gated
   * output all but vanishes in front of its norm, which multiplies every rounding before it. The
   * stored gradients of hllama_bmf_m2 are themselves 1.3e-3 away from those in float64.
   */
  double gradientTolerance() {
    return switch (name) {
      case "hllama_bmf_m2" -> 3e-3;
      case "hqwen3_bmf_m2" -> 3e-4;
      default -> 1e-4;
    };
  }

  static double largestDifference(Tensor actual, Tensor wanted) {
    return actual.sub(wanted).abs().max().item_double();
  }
}
