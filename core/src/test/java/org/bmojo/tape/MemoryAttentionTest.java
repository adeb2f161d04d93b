package org.bmojo.tape;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.stack;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.tape.KernelOps.EideticVars;
import org.bmojo.tape.KernelOps.StreamVars;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention to three memories against one query at a time, each with its own list of keys. */
class MemoryAttentionTest {
  private static final int BATCH = 2, HEADS = 4, GROUPS = 2, DIM = 2, SLOTS = 2;

  @ParameterizedTest
  @CsvSource({
    "0, 5, 2, 0, 2, false",
    "0, 5, 2, 2, 2, true",
    "3, 4, 2, 3, 2, true",
    "3, 1, 3, 0, 1, true",
    "7, 6, 1, 1, 4, true",
    "3, 5, 2147483647, 0, 1, false"
  })
  void agreesWithOneQueryAtATime(
      long start, int tokens, int window, int fading, int chunk, boolean eidetic) {
    try (Scope scope = new Scope()) {
      Draw draw = new Draw(start + tokens);
      Geometry g = new Geometry(start, window, fading, chunk, 0.4);
      Stream past = start == 0 ? null : new Stream(row(draw, start), row(draw, start));
      int chunks = (int) ((start + tokens - 1) / chunk - start / chunk + 1);
      List<Tensor> in = new ArrayList<>();
      in.add(draw.normal(BATCH, tokens, HEADS, DIM));
      in.add(row(draw, tokens));
      in.add(row(draw, tokens));
      if (fading > 0) in.addAll(List.of(row(draw, tokens), row(draw, tokens)));
      if (eidetic) {
        in.add(draw.normal(BATCH, tokens, HEADS, DIM));
        in.add(draw.normal(BATCH, chunks, SLOTS, GROUPS, DIM));
        in.add(draw.normal(BATCH, chunks, SLOTS, GROUPS, DIM));
        in.add(draw.normal(BATCH, chunks, HEADS, SLOTS));
      }
      int far = fading > 0 ? 5 : 3;
      new Twin(
              "memoryAttention",
              (tape, v) ->
                  KernelOps.memoryAttention(
                      tape,
                      g,
                      v[0],
                      new StreamVars(v[1], v[2], past),
                      fading > 0 ? new StreamVars(v[3], v[4], past) : null,
                      eidetic ? new EideticVars(v[far], v[far + 1], v[far + 2], v[far + 3]) : null,
                      null),
              v -> oneByOne(g, v, past, fading > 0, eidetic ? far : 0))
          .check(in.toArray(Tensor[]::new));
    }
  }

  private static Tensor row(Draw draw, long tokens) {
    return draw.normal(BATCH, tokens, GROUPS, DIM);
  }

  private static Tensor oneByOne(
      Geometry g, Tensor[] in, @Nullable Stream past, boolean fades, int far) {
    int tokens = (int) in[0].size(1);
    Tensor[] sequences = new Tensor[BATCH];
    for (int b = 0; b < BATCH; b++) {
      Tensor[] rows = new Tensor[tokens];
      for (int t = 0; t < tokens; t++) {
        Tensor[] heads = new Tensor[HEADS];
        for (int h = 0; h < HEADS; h++) heads[h] = one(g, in, past, fades, far, b, t, h);
        rows[t] = stack(0, heads);
      }
      sequences[b] = stack(0, rows);
    }
    return stack(0, sequences);
  }

  private static Tensor one(
      Geometry g, Tensor[] in, @Nullable Stream past, boolean fades, int far, int b, int t, int h) {
    int group = h / (HEADS / GROUPS);
    long i = g.start() + t, w = g.window();
    Tensor q = in[0].select(0, b).select(0, t).select(0, h);
    List<Tensor> logits = new ArrayList<>(), values = new ArrayList<>();
    for (long j = Math.max(0, i - w + 1); j <= i; j++) {
      logits.add(q.dot(at(g, in[1], past == null ? null : past.k(), b, j, group)));
      values.add(at(g, in[2], past == null ? null : past.v(), b, j, group));
    }
    for (long j = Math.max(0, i - w - g.fading() + 1); fades && j <= i - w; j++) {
      logits.add(q.dot(at(g, in[3], past == null ? null : past.k(), b, j, group)));
      values.add(at(g, in[4], past == null ? null : past.v(), b, j, group));
    }
    for (int e = 0; e < logits.size(); e++) logits.set(e, logits.get(e).mul(scalar(g.scale())));
    long chunk = i / g.chunk() - g.start() / g.chunk();
    for (int e = 0; far > 0 && e < SLOTS; e++) {
      Tensor farQ = in[far].select(0, b).select(0, t).select(0, h);
      Tensor key = slot(in[far + 1], b, chunk, e, group);
      Tensor bias = in[far + 3].select(0, b).select(0, chunk).select(0, h).select(0, e);
      logits.add(farQ.dot(key).mul(scalar(g.scale())).add(bias));
      values.add(slot(in[far + 2], b, chunk, e, group));
    }
    Tensor weights = torch.softmax(stack(0, logits.toArray(Tensor[]::new)), 0);
    return weights.unsqueeze(0).matmul(stack(0, values.toArray(Tensor[]::new))).squeeze(0);
  }

  private static Tensor at(
      Geometry g, Tensor own, @Nullable Tensor past, int b, long position, int group) {
    Tensor all = past == null ? own : cat(1, past, own); // from position 0 on
    return all.select(0, b).select(0, position).select(0, group);
  }

  private static Tensor slot(Tensor t, int b, long chunk, int e, int group) {
    return t.select(0, b).select(0, chunk).select(0, e).select(0, group);
  }
}
