package org.bmojo.kernels.contract;

import static org.bmojo.kernels.torch.Tensors.scalar;

import java.util.LinkedHashMap;
import java.util.Map;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Gradients;
import org.bmojo.kernels.op.MemoryAttention.Inputs;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The tensors of a case of memory attention, always the same ones. */
record AttentionTensors(Inputs in, Tensor dOut) {
  static AttentionTensors of(AttentionCase c, Draw draw, boolean emptySlots) {
    return of(c, draw, emptySlots, null);
  }

  /** The same of rows with several documents. */
  static AttentionTensors of(
      AttentionCase c, Draw draw, boolean emptySlots, @Nullable Tensor begin) {
    Tensor q = draw.normal(c.batch(), c.tokens(), c.heads(), c.dim());
    Stream window = stream(draw, c, c.past() + c.tokens());
    Stream fading = c.fading() == 0 ? null : stream(draw, c, c.fadingPast() + c.tokens());
    Eidetic eidetic = c.slots() == 0 ? null : eidetic(c, draw, emptySlots);
    Inputs in = new Inputs(c.geometry(), q, window, fading, eidetic, begin);
    return new AttentionTensors(in, draw.normal(c.batch(), c.tokens(), c.heads(), c.dim()));
  }

  private static Stream stream(Draw draw, AttentionCase c, long rows) {
    return new Stream(
        draw.normal(c.batch(), rows, c.groups(), c.dim()),
        draw.normal(c.batch(), rows, c.groups(), c.dim()));
  }

  private static Eidetic eidetic(AttentionCase c, Draw draw, boolean emptySlots) {
    long m = c.chunks(), e = c.slots();
    Tensor bias = draw.normalState(c.batch(), m, c.heads(), e);
    if (emptySlots) {
      // A third of the slots at random, and every slot of the first chunk.
      Tensor empty = draw.uniformState(0, 1, c.batch(), m, 1, e).lt(scalar(1. / 3));
      empty.narrow(1, 0, 1).fill_(scalar(1));
      bias = bias.masked_fill(empty, scalar(Double.NEGATIVE_INFINITY));
    }
    return new Eidetic(
        draw.normal(c.batch(), c.tokens(), c.heads(), c.dim()),
        draw.normal(c.batch(), m, e, c.groups(), c.dim()),
        draw.normal(c.batch(), m, e, c.groups(), c.dim()),
        bias);
  }

  /** Every input by name. */
  Map<String, Tensor> named() {
    return named(in.q(), in.window(), in.fading(), in.eidetic());
  }

  /** Every gradient under the name of its input. */
  static Map<String, Tensor> named(Gradients g) {
    return named(g.q(), g.window(), g.fading(), g.eidetic());
  }

  private static Map<String, Tensor> named(
      Tensor q, Stream window, @Nullable Stream fading, @Nullable Eidetic eidetic) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    all.put("q", q);
    all.put("window k", window.k());
    all.put("window v", window.v());
    if (fading != null) {
      all.put("fading k", fading.k());
      all.put("fading v", fading.v());
    }
    if (eidetic != null) {
      all.put("eidetic q", eidetic.q());
      all.put("eidetic k", eidetic.k());
      all.put("eidetic v", eidetic.v());
      all.put("eidetic bias", eidetic.bias());
    }
    return all;
  }

  /** {@link Autograd} through {@link DenseAttention}. */
  Autograd oracle() {
    Tensor begin = in.begin() == null ? null : in.begin().cpu();
    return Autograd.of(named(), t -> DenseAttention.forward(in.geometry(), begin, t), dOut);
  }
}
