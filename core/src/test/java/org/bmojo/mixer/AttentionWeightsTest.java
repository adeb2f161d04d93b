package org.bmojo.mixer;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.bmojo.kernels.contract.Close.assertWithin;

import java.util.List;
import java.util.stream.LongStream;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.op.MemoryAttention.Eidetic;
import org.bmojo.kernels.op.MemoryAttention.Geometry;
import org.bmojo.kernels.op.MemoryAttention.StepInputs;
import org.bmojo.kernels.op.MemoryAttention.Stream;
import org.bmojo.kernels.reference.ReferenceMemoryAttention;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Tensors;
import org.bmojo.mixer.AttentionWeights.Seen;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * One head's weights times the values are what the operation returns; several heads' are a mean.
 */
class AttentionWeightsTest {
  private static final int W = 5, F = 3, D = 4, HEADS = 2;

  /** Of four slots: the first is empty, and the last came from storage. */
  private static final double[] HELD = {-1, 0, 2};

  private static final double[] BIAS = {Double.NEGATIVE_INFINITY, 0.5, -1, 0};

  /** Rings are longer than what is seen, as a layer's are. */
  private static StepInputs inputs(long position) {
    Draw draw = new Draw(position + 1);
    Tensor bias = Tensors.of(BIAS).expand(1, HEADS, BIAS.length);
    return new StepInputs(
        new Geometry(0, W, F, 4, 0.5),
        draw.normal(1, HEADS, D),
        new long[] {position},
        new Stream(draw.normal(1, W + 4, 1, D), draw.normal(1, W + 4, 1, D)),
        new Stream(draw.normal(1, W + F, 1, D), draw.normal(1, W + F, 1, D)),
        new Eidetic(
            draw.normal(1, HEADS, D),
            draw.normal(1, BIAS.length, 1, D),
            draw.normal(1, BIAS.length, 1, D),
            bias));
  }

  private static StepInputs head(StepInputs in, int h) {
    Eidetic e = requireNonNull(in.eidetic());
    return new StepInputs(
        in.geometry(),
        in.q().narrow(1, h, 1),
        in.positions(),
        in.window(),
        in.fading(),
        new Eidetic(e.q().narrow(1, h, 1), e.k(), e.v(), e.bias().narrow(1, h, 1)));
  }

  private static AttentionWeights weights(StepInputs in) {
    return AttentionWeights.of(in, null, Tensors.of(HELD).unsqueeze(0));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, W - 1, W, W + F - 1, W + F, 63, 206})
  void weightsTimesValuesAreTheOutput(long position) {
    try (Scope _ = new Scope()) {
      StepInputs in = inputs(position);
      for (int h = 0; h < HEADS; h++) {
        StepInputs one = head(in, h);
        AttentionWeights w = weights(one);
        Tensor slots = requireNonNull(one.eidetic()).v().select(0, 0);
        Tensor sum = torch.zeros(1, D).to(in.q().scalar_type());
        sum = sum.add(times(w.window(), one.window().v()));
        sum = sum.add(times(w.fading(), requireNonNull(one.fading()).v()));
        sum = sum.add(slots.select(0, 1).mul(Tensors.scalar(w.eidetic().get(0).weight())));
        sum = sum.add(slots.select(0, 2).mul(Tensors.scalar(w.eidetic().get(1).weight())));
        sum = sum.add(slots.select(0, 3).mul(Tensors.scalar(w.storage())));
        Tensor out = new ReferenceMemoryAttention().step(one).squeeze(1);
        assertWithin("head " + h, sum, out, 1e-6);
      }
    }
  }

  private static Tensor times(List<Seen> seen, Tensor ring) {
    Tensor sum = torch.zeros(1, D).to(ring.scalar_type());
    for (Seen s : seen) {
      Tensor row = ring.select(0, 0).select(0, s.position() % ring.size(1)); // (1, D)
      sum = sum.add(row.mul(Tensors.scalar(s.weight())));
    }
    return sum;
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 4, 206})
  void headsAreAveragedAndAllIsOne(long position) {
    try (Scope _ = new Scope()) {
      StepInputs in = inputs(position);
      AttentionWeights both = weights(in), a = weights(head(in, 0)), b = weights(head(in, 1));
      double all =
          AttentionWeights.share(both.window())
              + AttentionWeights.share(both.fading())
              + AttentionWeights.share(both.eidetic())
              + both.storage();
      assertThat(all).isCloseTo(1, within(1e-12));
      assertThat(both.storage()).isCloseTo((a.storage() + b.storage()) / 2, within(1e-12));
      long first = Math.max(0, position - W + 1);
      assertThat(both.window())
          .extracting(Seen::position)
          .containsExactlyElementsOf(LongStream.rangeClosed(first, position).boxed().toList());
      assertThat(both.fading())
          .extracting(Seen::position)
          .containsExactlyElementsOf(
              LongStream.range(Math.max(0, first - F), first).boxed().toList());
      assertThat(both.eidetic()).extracting(Seen::position).containsExactly(0L, 2L);
    }
  }
}
