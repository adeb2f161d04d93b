package org.bmojo.model;

import org.bmojo.mixer.AttentionConfig;
import org.bmojo.mixer.EideticConfig;
import org.bmojo.mixer.GatedDeltaNetConfig;
import org.bmojo.mixer.GatedKalmaNetConfig;
import org.bmojo.mixer.Mamba2Config;
import org.bmojo.mixer.MambaConfig;
import org.bmojo.mixer.SsmConfig;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Bytes that training takes at its peak, the end of the forward pass, told from the configuration
 * alone: what the tape keeps of each operation is counted, what kernels need for a moment is left
 * out but for the head. Peaks measured on a GPU are within a twentieth of it for the presets'
 * families; the other state spaces are counted roughly.
 *
 * @param weights that passes compute with
 * @param masters float32 copies of narrower weights
 * @param moments two for each weight
 * @param gradients one for each weight
 * @param activations kept for the backward pass
 * @param head logits of a block of tokens, and the gradient of the head's weight
 */
public record TrainingMemory(
    long weights, long masters, long moments, long gradients, long activations, long head) {
  /** Tokens between the states that a scan keeps for its backward pass. */
  private static final int SCAN_PIECE = 16;

  /** Logits at a time. */
  private static final long GPU_HEAD = 1L << 27, CPU_HEAD = 1L << 22;

  /**
   * Of one batch; those accumulated come one after the other.
   *
   * @param placement in bfloat16 there are float32 masters besides
   * @param recompute what is made again in the backward pass
   */
  public static TrainingMemory of(
      ModelConfig config, int batch, int context, Placement placement, Recompute recompute) {
    boolean narrow = placement.type() == ScalarType.BFloat16;
    long parameters = Footprint.parameters(config).values().stream().mapToLong(n -> n).sum();
    long element = narrow ? 2 : 4, tokens = (long) batch * context;
    long between = element * config.width();
    boolean blocks = recompute == Recompute.BLOCKS, light = recompute == Recompute.LIGHT;
    double all = 0, largest = 0;
    for (BlockConfig block : config.layers()) {
      double bytes = ofBlock(config, block, element, light);
      all += blocks ? between : bytes;
      largest = Math.max(largest, bytes);
    }
    if (blocks) all += largest;
    all += 3 * between; // into the last norm and the head, and the gradient that comes back
    long headWeight = (long) config.vocabulary() * config.width();
    long logits =
        Math.min(
            tokens * config.vocabulary(), placement.device().equals("cpu") ? CPU_HEAD : GPU_HEAD);
    return new TrainingMemory(
        element * parameters,
        narrow ? 4 * parameters : 0,
        8 * parameters,
        4 * parameters,
        Math.round(all * tokens),
        element * (logits + headWeight) + 4 * headWeight);
  }

  /** Of each of several processes that train together: they share out the moments. */
  public TrainingMemory sharedBy(int processes) {
    return new TrainingMemory(
        weights, masters, Math.ceilDiv(moments, processes), gradients, activations, head);
  }

  /** All together. */
  public long total() {
    return weights + masters + moments + gradients + activations + head;
  }

  /**
   * Bytes a token.
   *
   * @param light without what {@link Recompute#LIGHT} makes again
   */
  private static double ofBlock(ModelConfig model, BlockConfig block, long element, boolean light) {
    double d = model.width();
    double norm = light ? d : 2 * d; // into it, out of it
    double bytes = element * norm;
    SsmConfig ssm = block.mixer().ssm();
    AttentionConfig attention = block.mixer().attention();
    if (ssm != null) bytes += ofStateSpace(ssm, d, element, light);
    if (attention != null) bytes += ofAttention(attention, d, element);
    if (block.mlp() == 0) return bytes;
    BlockConfig.@Nullable ExpertsConfig experts = block.experts();
    double chosen = experts == null ? 1 : experts.chosen();
    double vectors = light && experts == null ? 2 : 3; // gate, up and their product
    return bytes + element * (norm + vectors * chosen * block.mlp());
  }

  private static double ofStateSpace(SsmConfig ssm, double d, long element, boolean light) {
    return switch (ssm) {
      case MambaConfig m -> {
        // Before and after the convolution, gate, step size and output; low-rank step, B and C.
        double channels = m.expand() * d;
        double vectors = (light ? 3 : 5) * channels + m.stepRank((int) d) + 2.0 * m.stateSize();
        yield element * vectors + 4 * channels * m.stateSize() / SCAN_PIECE;
      }
      case Mamba2Config _, GatedDeltaNetConfig _, GatedKalmaNetConfig _ ->
          // Inputs, keys, queries, gate and output, each before and after something.
          element * 14 * d + 4.0 * ssm.stateElements((int) d) / SCAN_PIECE;
    };
  }

  private static double ofAttention(AttentionConfig a, double d, long element) {
    double q = (double) a.heads() * a.headDim(), kv = (double) a.kvHeads() * a.headDim();
    double vectors = 2 * q + 2 * kv; // queries, output; keys, values
    if (a.convolution() > 0) vectors += d;
    if (a.qkNorm()) vectors += q + kv;
    if (a.fading() > 0) vectors += d + 2 * kv + (a.qkNorm() ? kv : 0);
    double bytes = element * vectors + 4.0 * a.heads(); // and the sums of exponentials
    EideticConfig memory = a.eidetic();
    if (memory == null) return bytes;
    // The state's output one token late, what is predicted of it, and queries once more; keys and
    // values of each chunk's set.
    double perToken = (double) memory.capacity() / memory.chunk();
    return bytes + element * (2 * d + q + perToken * 2 * kv) + 4 * perToken * a.heads();
  }
}
