package org.bmojo.model;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.mixer.Dense;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A whole model from libtorch's own operations, around {@link Dense} layers.
 *
 * @param logits (B, T, V)
 * @param ownLosses the sum of the layers' own losses, a scalar; null where none has one
 */
public record DenseModel(Tensor logits, @Nullable Tensor ownLosses) {
  /**
   * Reads ids.
   *
   * @param w weights by name
   * @param ids (B, T)
   */
  public static DenseModel of(ModelConfig config, Map<String, Tensor> w, Tensor ids) {
    Tensor embedding = get(w, "embed_tokens.weight");
    Tensor own = null;
    Tensor x = embedding.index_select(0, ids.reshape(-1)).reshape(ids.size(0), ids.size(1), -1);
    for (int i = 0; i < config.layers().size(); i++) {
      BlockConfig block = config.layers().get(i);
      String prefix = "layers." + i + ".";
      Tensor input = norm(x, get(w, prefix + "mixer_norm.weight"), config.normEps());
      Dense mixed = Dense.of(block.mixer(), below(w, prefix + "mixer."), input);
      x = x.add(mixed.output());
      if (mixed.ownLoss() != null) own = own == null ? mixed.ownLoss() : own.add(mixed.ownLoss());
      if (block.mlp() > 0) {
        Tensor h = norm(x, get(w, prefix + "mlp_norm.weight"), config.normEps());
        Tensor gate = h.matmul(get(w, prefix + "mlp.gate_proj.weight").t());
        Tensor up = h.matmul(get(w, prefix + "mlp.up_proj.weight").t());
        Tensor inner = gate.div(gate.neg().exp().add(scalar(1))).mul(up);
        x = x.add(inner.matmul(get(w, prefix + "mlp.down_proj.weight").t()));
      }
    }
    Tensor head = config.tied() ? embedding : get(w, "lm_head.weight");
    Tensor last = norm(x, get(w, "norm.weight"), config.normEps());
    return new DenseModel(last.matmul(head.t()), own);
  }

  /** Mean cross-entropy over labelled positions. */
  public Tensor loss(Tensor targets) {
    Tensor flat = targets.reshape(-1);
    Tensor rows = flat.ne(new Scalar(LinearCrossEntropy.IGNORED)).nonzero().squeeze(1);
    Tensor logits = logits().reshape(flat.size(0), -1).index_select(0, rows);
    return torch.nll_loss(torch.log_softmax(logits, 1), flat.index_select(0, rows));
  }

  /** The loss and the layers' own losses. */
  public Tensor total(Tensor targets) {
    Tensor loss = loss(targets);
    return ownLosses == null ? loss : loss.add(ownLosses);
  }

  private static Tensor norm(Tensor x, Tensor gain, double eps) {
    return x.div(x.square().mean(-1).add(scalar(eps)).sqrt().unsqueeze(-1)).mul(gain);
  }

  private static Map<String, Tensor> below(Map<String, Tensor> w, String prefix) {
    Map<String, Tensor> own = new LinkedHashMap<>();
    w.forEach((name, t) -> {
      if (name.startsWith(prefix)) own.put(name.substring(prefix.length()), t);
    });
    return own;
  }

  private static Tensor get(Map<String, Tensor> w, String name) {
    return Objects.requireNonNull(w.get(name), name);
  }
}
