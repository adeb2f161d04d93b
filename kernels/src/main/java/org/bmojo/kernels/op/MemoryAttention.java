package org.bmojo.kernels.op;

import static org.bmojo.kernels.torch.Shapes.ANY;
import static org.bmojo.kernels.torch.Shapes.expect;
import static org.bmojo.kernels.torch.Shapes.expectBegin;

import org.bmojo.error.BadInput;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * B'MOJO's attention (Zancato et al. 2024, section 3): query i attends under one softmax to
 *
 * <ul>
 *   <li>window keys at positions max(0, i−W+1) … i,
 *   <li>fading keys at positions max(0, i−W−F+1) … i−W,
 *   <li>the eidetic keys of its chunk ⌊i/C⌋, through a query of their own (rotated to the one
 *       distance at which all of long-term memory is seen) and with a bias on their logits.
 * </ul>
 *
 * Query head h reads key/value head h / (H/G). With F = E = 0 this is sliding-window attention,
 * with W unbounded as well full causal attention.
 */
public interface MemoryAttention {
  /** A window that reaches back to position 0. */
  int UNBOUNDED = Integer.MAX_VALUE;

  /**
   * Where the queries stand and how far they see.
   *
   * @param start absolute position of the first query
   * @param window W ≥ 1, the query itself included; {@link #UNBOUNDED} for full attention
   * @param fading F ≥ 0
   * @param chunk C ≥ 1
   * @param scale multiplies q·k, usually D^(−1/2)
   */
  record Geometry(long start, int window, int fading, int chunk, double scale) {
    /** Refuses numbers that mean nothing. */
    public Geometry {
      atLeast("start", start, 0);
      atLeast("window", window, 1);
      atLeast("fading", fading, 0);
      atLeast("chunk", chunk, 1);
    }

    private static void atLeast(String name, long value, long least) {
      if (value >= least) return;
      throw new BadInput(
          "memory attention: " + name + " is " + value,
          "expected at least " + least,
          "correct the layer's configuration");
    }
  }

  /**
   * Keys and values of consecutive tokens, the last T of which are the queries' own; what comes
   * before is past: P rows, of which those older than anything visible may be left out. A past row
   * that is missing is not seen.
   *
   * @param k (B, P + T, G, D) rotated
   * @param v (B, P + T, G, D)
   */
  record Stream(Tensor k, Tensor v) {}

  /**
   * Long-term memory, one set per chunk that the queries touch.
   *
   * @param q (B, T, H, D) the queries as long-term memory sees them
   * @param k (B, M, E, G, D)
   * @param v (B, M, E, G, D)
   * @param bias (B, M, H, E) added to the logits after scaling; −∞ for empty slots
   */
  record Eidetic(Tensor q, Tensor k, Tensor v, Tensor bias) {}

  /**
   * What enters.
   *
   * @param q (B, T, H, D) rotated to their own positions
   * @param fading null where F = 0
   * @param eidetic null where E = 0; with documents, a set is of the one that its chunk begins in,
   *     and queries of a later one in that chunk see nothing of it
   * @param begin (B, T) int32 where documents begin, as the package says; null for one document
   */
  record Inputs(
      Geometry geometry,
      Tensor q,
      Stream window,
      @Nullable Stream fading,
      @Nullable Eidetic eidetic,
      @Nullable Tensor begin) {
    /** One document. */
    public Inputs(
        Geometry geometry,
        Tensor q,
        Stream window,
        @Nullable Stream fading,
        @Nullable Eidetic eidetic) {
      this(geometry, q, window, fading, eidetic, null);
    }

    /** Refuses shapes that do not fit together. */
    public Inputs {
      String op = "memory attention";
      expect(op, "q", q, ANY, ANY, ANY, ANY);
      long batch = q.size(0), tokens = q.size(1), heads = q.size(2), dim = q.size(3);
      expect(op, "window k", window.k(), batch, ANY, ANY, dim);
      long groups = window.k().size(2);
      expect(op, "window v", window.v(), batch, window.k().size(1), groups, dim);
      expectHeads(heads, groups);
      expectRows("window", window, geometry.start(), tokens);
      if (fading != null) {
        expect(op, "fading k", fading.k(), batch, ANY, groups, dim);
        expect(op, "fading v", fading.v(), batch, fading.k().size(1), groups, dim);
        expectRows("fading", fading, geometry.start(), tokens);
      }
      if (eidetic != null) {
        long chunk = geometry.chunk();
        long chunks = (geometry.start() + tokens - 1) / chunk - geometry.start() / chunk + 1;
        expect(op, "eidetic q", eidetic.q(), batch, tokens, heads, dim);
        expect(op, "eidetic k", eidetic.k(), batch, chunks, ANY, groups, dim);
        long slots = eidetic.k().size(2);
        expect(op, "eidetic v", eidetic.v(), batch, chunks, slots, groups, dim);
        expect(op, "eidetic bias", eidetic.bias(), batch, chunks, heads, slots);
      }
      if (begin != null) expectBegin(op, begin, batch, tokens);
    }

    /** Rows end with the last query; none stand before the sequence. */
    private static void expectRows(String name, Stream stream, long start, long tokens) {
      long rows = stream.k().size(1);
      if (rows >= tokens && rows <= start + tokens) return;
      throw new BadInput(
          "memory attention: " + name + " has " + rows + " rows",
          "expected " + tokens + ", one for each query, to " + (start + tokens) + ", all there are",
          "pass the queries' own rows and up to " + start + " of the past");
    }
  }

  private static void expectHeads(long heads, long groups) {
    if (groups > 0 && heads % groups == 0) return;
    throw new BadInput(
        "memory attention: " + heads + " query heads share " + groups + " key heads",
        "expected a whole number of query heads for each key head",
        "correct the model's configuration");
  }

  /**
   * What leaves.
   *
   * @param out (B, T, H, D)
   * @param logSumExp (B, T, H) of all logits of a query, float32 or float64
   */
  record Output(Tensor out, Tensor logSumExp) {}

  /** Gradients, named and shaped as the inputs; null where the input is. */
  record Gradients(Tensor q, Stream window, @Nullable Stream fading, @Nullable Eidetic eidetic) {}

  /** All queries. */
  Output forward(Inputs in);

  /**
   * Exact gradients of the one softmax, given what {@link #forward} returned.
   *
   * @param dOut (B, T, H, D)
   */
  Gradients backward(Inputs in, Output forward, Tensor dOut);

  /**
   * What one token of each sequence sees. Rings hold the token of position p in row p mod their
   * length, and have the current token's row already.
   *
   * @param q (B, H, D) rotated
   * @param positions B absolute positions of the queries; sequences need not be in step
   * @param window (B, ≥ W, G, D) ring
   * @param fading (B, ≥ W+F, G, D) ring, or null
   * @param eidetic of one chunk: q (B, H, D), k and v (B, E, G, D), bias (B, H, E); or null
   */
  record StepInputs(
      Geometry geometry,
      Tensor q,
      long[] positions,
      Stream window,
      @Nullable Stream fading,
      @Nullable Eidetic eidetic) {
    /** Refuses shapes that do not fit together and rings too short to hold what is visible. */
    public StepInputs {
      String op = "memory attention step";
      expect(op, "q", q, positions.length, ANY, ANY);
      long batch = q.size(0), heads = q.size(1), dim = q.size(2);
      expect(op, "window k", window.k(), batch, ANY, ANY, dim);
      long groups = window.k().size(2);
      expect(op, "window v", window.v(), batch, window.k().size(1), groups, dim);
      expectHeads(heads, groups);
      expectRing("window", window, geometry.window(), positions);
      if (fading != null) {
        expect(op, "fading k", fading.k(), batch, ANY, groups, dim);
        expect(op, "fading v", fading.v(), batch, fading.k().size(1), groups, dim);
        expectRing("fading", fading, (long) geometry.window() + geometry.fading(), positions);
      }
      if (eidetic != null) {
        expect(op, "eidetic q", eidetic.q(), batch, heads, dim);
        expect(op, "eidetic k", eidetic.k(), batch, ANY, groups, dim);
        long slots = eidetic.k().size(1);
        expect(op, "eidetic v", eidetic.v(), batch, slots, groups, dim);
        expect(op, "eidetic bias", eidetic.bias(), batch, heads, slots);
      }
    }

    private static void expectRing(String name, Stream ring, long reach, long[] positions) {
      long rows = ring.k().size(1);
      for (long position : positions) {
        if (position >= 0 && rows >= Math.min(reach, position + 1)) continue;
        throw new BadInput(
            "memory attention step: the " + name + " ring has " + rows + " rows",
            "expected " + reach + ", or all there are, for position " + position,
            "make the ring as long as what is visible");
      }
    }
  }

  /**
   * One token of each sequence; {@code geometry.start} is not read.
   *
   * @return (B, H, D)
   */
  Tensor step(StepInputs in);
}
