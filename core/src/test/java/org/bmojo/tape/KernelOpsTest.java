package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.einsum;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;

import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.op.InnovationScore;
import org.bmojo.kernels.op.LinearCrossEntropy;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KernelOpsTest {
  private final Draw draw = new Draw(12);

  @Test
  void rmsNorm() {
    try (Scope scope = new Scope()) {
      new Twin(
              "rmsNorm with gain",
              (tape, in) -> KernelOps.rmsNorm(tape, in[0], in[1], 1e-5),
              in -> normalised(in[0], 1e-5).mul(in[1]))
          .check(draw.normal(2, 3, 5), draw.normal(5));
      new Twin(
              "rmsNorm without gain",
              (tape, in) -> KernelOps.rmsNorm(tape, in[0], null, 1e-3),
              in -> normalised(in[0], 1e-3))
          .check(draw.normal(2, 3, 5));
    }
  }

  @Test
  void swiGlu() {
    try (Scope scope = new Scope()) {
      new Twin(
              "swiGlu",
              (tape, in) -> KernelOps.swiGlu(tape, in[0], in[1]),
              in -> torch.silu(in[0]).mul(in[1]))
          .check(draw.normal(2, 3, 5), draw.normal(2, 3, 5));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 3})
  void rotary(long angles) {
    try (Scope scope = new Scope()) {
      Tensor angle = draw.normal(angles, 2);
      Tensor cos = angle.cos(), sin = angle.sin();
      new Twin(
              "rotary",
              (tape, in) -> KernelOps.rotary(tape, in[0], cos, sin),
              in -> {
                // A matrix for every token and plane: (T, to, from, plane).
                Tensor first = stack(1, cos, sin.neg()), second = stack(1, sin, cos);
                Tensor turn = stack(1, first, second).expand(3, 2, 2, 2);
                Tensor planes = in[0].reshape(2, 3, 5, 2, 2);
                return einsum("tijp,bthjp->bthip", turn, planes).reshape(2, 3, 5, 4);
              })
          .check(draw.normal(2, 3, 5, 4));
    }
  }

  @Test
  void innovationScore() {
    try (Scope scope = new Scope()) {
      new Twin(
              "innovationScore",
              (tape, in) -> KernelOps.innovationScore(tape, in[0], in[1]),
              in -> normalised(in[0], InnovationScore.EPS).sub(in[1]).square().mean(-1))
          .check(draw.normal(2, 3, 5), draw.normal(2, 3, 5));
    }
  }

  @Test
  void causalConv() {
    try (Scope scope = new Scope()) {
      Tensor initial = draw.normal(2, 3, 5);
      new Twin(
              "causalConv after a past, with bias",
              (tape, in) -> KernelOps.causalConv(tape, in[0], in[1], in[2], initial, null).y(),
              in -> torch.silu(convolved(cat(1, initial, in[0]), in[1]).add(in[2])))
          .check(draw.normal(2, 6, 5), draw.normal(5, 4), draw.normal(5));
      new Twin(
              "causalConv from the start, without",
              (tape, in) -> KernelOps.causalConv(tape, in[0], in[1], null, null, null).y(),
              in -> torch.silu(convolved(cat(1, torch.zeros_like(initial), in[0]), in[1])))
          .check(draw.normal(2, 6, 5), draw.normal(5, 4));
    }
  }

  /** padded (B, K−1+T, I), weight (I, K) → (B, T, I). */
  private static Tensor convolved(Tensor padded, Tensor weight) {
    long width = weight.size(1);
    return stack(
            -1,
            padded.narrow(1, 0, 6),
            padded.narrow(1, 1, 6),
            padded.narrow(1, 2, 6),
            padded.narrow(1, 3, 6))
        .mul(weight.reshape(1, 1, -1, width))
        .sum(-1);
  }

  @Test
  void selectiveScan() {
    try (Scope scope = new Scope()) {
      Tensor initial = draw.normal(2, 3, 4);
      new Twin(
              "selectiveScan after a past",
              (tape, in) ->
                  KernelOps.selectiveScan(
                          tape, in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], initial,
                          null)
                      .y(),
              in -> scanned(in, initial))
          .check(
              draw.normal(2, 5, 3),
              draw.normal(2, 5, 3),
              draw.uniform(-4, -0.5, 3, 4),
              draw.normal(2, 5, 4),
              draw.normal(2, 5, 4),
              draw.normal(3),
              draw.normal(2, 5, 3),
              draw.normal(3));
    }
  }

  private static Tensor scanned(Tensor[] in, Tensor initial) {
    Tensor h = initial; // (B, I, N)
    Tensor[] y = new Tensor[(int) in[0].size(1)];
    for (int t = 0; t < y.length; t++) {
      Tensor delta = torch.softplus(in[1].select(1, t).add(in[7])).unsqueeze(-1); // (B, I, 1)
      Tensor u = in[0].select(1, t);
      Tensor write = delta.mul(u.unsqueeze(-1)).mul(in[3].select(1, t).unsqueeze(1));
      h = delta.mul(in[2]).exp().mul(h).add(write);
      Tensor read = h.mul(in[4].select(1, t).unsqueeze(1)).sum(-1).add(u.mul(in[5]));
      y[t] = read.mul(torch.silu(in[6].select(1, t)));
    }
    return stack(1, y);
  }

  @Test
  void meanCrossEntropy() {
    try (Scope scope = new Scope()) {
      long[] labels = {4, LinearCrossEntropy.IGNORED, 0, 6, LinearCrossEntropy.IGNORED};
      Tensor targets = Tensor.create(labels, 5);
      Tensor rows = Tensor.create(new long[] {0, 2, 3}, 3),
          columns = Tensor.create(new long[] {4, 0, 6}, 3, 1);
      new Twin(
              "meanCrossEntropy",
              (tape, in) -> KernelOps.meanCrossEntropy(tape, in[0], in[1], targets, 3),
              in -> {
                Tensor logits = in[0].index_select(0, rows).matmul(in[1].t());
                Tensor right = logits.gather(1, columns).squeeze(1);
                return logits.logsumexp(1).sub(right).mean();
              })
          .check(draw.normal(5, 3), draw.normal(7, 3));
    }
  }

  private static Tensor normalised(Tensor x, double eps) {
    Tensor meanSquare = x.square().sum(-1).unsqueeze(-1).mul(scalar(1.0 / x.size(-1)));
    return x.div(meanSquare.add(scalar(eps)).sqrt());
  }
}
