package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;

import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * One state from those of several chunks of a context that were read apart (PICASO, Liu et al.
 * 2025). Read one after the other, chunk i's state would arrive decayed by all chunks after it; the
 * composed state is the mean of that over all orders of the chunks:
 *
 * <pre>
 *   S = Σ_i c_i S_i   with   c_i = 1/n · Σ_m e_m(A_j : j ≠ i) / C(n−1, m)
 * </pre>
 *
 * where A_j is the decay over chunk j and e_m the elementary symmetric polynomials.
 */
public final class StateComposition {
  private StateComposition() {}

  /**
   * Logarithms of the weights, computed as such: a decay over a long chunk has no digits left.
   *
   * @param logDecay (n, …) logarithm of the decay over each chunk
   * @return (n, …)
   */
  public static Tensor logWeights(Tensor logDecay) {
    try (Scope scope = new Scope()) {
      int n = (int) logDecay.size(0);
      Tensor[] weights = new Tensor[n];
      for (int i = 0; i < n; i++) {
        // e[m] over the chunks seen so far; −∞ stands for 0.
        Tensor[] e = new Tensor[n];
        Tensor none = torch.zeros_like(logDecay.select(0, i));
        e[0] = none;
        for (int m = 1; m < n; m++) e[m] = none.add(scalar(Double.NEGATIVE_INFINITY));
        for (int j = 0; j < n; j++) {
          if (j == i) continue;
          Tensor a = logDecay.select(0, j);
          for (int m = n - 1; m > 0; m--) e[m] = torch.logaddexp(e[m], e[m - 1].add(a));
        }
        Tensor[] terms = new Tensor[n];
        for (int m = 0; m < n; m++) {
          terms[m] = e[m].sub(scalar(Math.log(binomial(n - 1, m)) + Math.log(n)));
        }
        weights[i] = stack(0, terms).logsumexp(0);
      }
      return scope.keep(stack(0, weights));
    }
  }

  /**
   * The same for states that a chunk multiplies by a matrix, as the delta rule does. Products do
   * not commute: those of several chunks are taken in one order, that of the chunks.
   *
   * @param transitions (n, …, D, D)
   * @return (n, …, D, D), to be multiplied with the chunks' states and summed
   */
  public static Tensor matrixWeights(Tensor transitions) {
    try (Scope scope = new Scope()) {
      int n = (int) transitions.size(0);
      Tensor identity = torch.eye(transitions.size(-1), transitions.options());
      Tensor[] weights = new Tensor[n];
      for (int i = 0; i < n; i++) {
        Tensor[] e = new Tensor[n];
        Tensor none = torch.zeros_like(transitions.select(0, i));
        e[0] = none.add(identity);
        for (int m = 1; m < n; m++) e[m] = none;
        for (int j = 0; j < n; j++) {
          if (j == i) continue;
          Tensor a = transitions.select(0, j);
          for (int m = n - 1; m > 0; m--) e[m] = e[m].add(a.matmul(e[m - 1]));
        }
        Tensor sum = none;
        for (int m = 0; m < n; m++) sum = sum.add(e[m].div(scalar(binomial(n - 1, m) * n)));
        weights[i] = sum;
      }
      return scope.keep(stack(0, weights));
    }
  }

  /** Σ_i weights_i · states_i, kept as a batch of one: (n, H), (n, H, …) → (1, H, …). */
  static Tensor weighted(Tensor logWeights, Tensor states) {
    Tensor w = logWeights.exp();
    while (w.dim() < states.dim()) w = w.unsqueeze(-1);
    return states.mul(w).sum(0).unsqueeze(0);
  }

  private static double binomial(int n, int m) {
    double b = 1;
    for (int i = 0; i < m; i++) b = b * (n - i) / (i + 1);
    return b;
  }
}
