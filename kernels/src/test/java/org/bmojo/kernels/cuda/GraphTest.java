package org.bmojo.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.op.RmsNorm;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("gpu")
final class GraphTest {
  private static final long N = 207;

  private final Draw draw = new Draw(3, ScalarType.BFloat16, new Device("cuda:0"));
  private final RmsNorm norm = Kernels.cuda().rmsNorm();

  /** A product, one of our kernels, and a temporary whose memory the next one takes over. */
  private void work(Tensor x, Tensor w, Tensor out) {
    try (Scope scope = new Scope()) {
      Tensor y = norm.forward(x.matmul(w), null, 1e-5).y(); // (N, N)
      for (int i = 0; i < 3; i++) {
        try (Scope pass = new Scope()) {
          Tensor temporary = y.mul(scalar(0.5 + i)).exp(); // (N, N)
          out.add_(temporary.matmul(w));
        }
      }
    }
  }

  @Test
  void replaysComputeWhatEagerCallsDo() {
    try (Scope scope = new Scope()) {
      Tensor w = draw.normal(N, N), x = draw.normal(N, N), out = zeros(x, N, N);
      try (Graph graph = Graph.of(0, 2, () -> work(x, w, out))) {
        for (int i = 0; i < 3; i++) {
          Tensor input = draw.normal(N, N), expected = zeros(x, N, N);
          work(input, w, expected);
          x.copy_(input);
          out.zero_();
          graph.replay();
          // Whatever is made and freed meanwhile must not lie where the graph computes.
          Tensor other = draw.normal(N, N).add(scalar(1));
          assertThat(out.equal(expected)).as("input %d", i).isTrue();
          assertThat(other.isfinite().all().item_bool()).isTrue();
        }
      }
    }
  }

  @Test
  void eagerWorkBetweenReplaysLeavesTheGraphsMemoryAlone() {
    try (Scope scope = new Scope()) {
      Tensor w = draw.normal(N, N), x = draw.normal(N, N), out = zeros(x, N, N);
      Tensor[] kept = new Tensor[1];
      Tensor expected = x.matmul(w);
      try (Graph graph = Graph.of(0, 1, () -> kept[0] = x.matmul(w))) {
        graph.replay();
        for (int i = 0; i < 20; i++) work(draw.normal(N, N), w, out);
        assertThat(kept[0].equal(expected)).isTrue();
      }
    }
  }

  @Test
  void nothingRunsWhileItIsRecorded() {
    try (Scope scope = new Scope()) {
      Tensor count = torch.zeros(new long[] {1}).cuda();
      try (Graph graph = Graph.of(0, 1, () -> count.add_(scalar(1)))) {
        assertThat(count.item_float()).isEqualTo(1);
        graph.replay();
        graph.replay();
        assertThat(count.item_float()).isEqualTo(3);
      }
    }
  }

  @Test
  void memoryIsGivenBack() {
    try (Scope scope = new Scope()) {
      torch_cuda.getAllocator().emptyCache();
      long before = Gpu.ask(0).freeBytes();
      long size = 256L << 20;
      Tensor like = draw.normal(1);
      try (Graph graph =
          Graph.of(
              0,
              1,
              () -> {
                try (Scope inner = new Scope()) {
                  zeros(like, size).add_(scalar(1));
                }
              })) {
        graph.replay();
        torch_cuda.getAllocator().emptyCache();
        assertThat(Gpu.ask(0).freeBytes()).isLessThan(before - size);
      }
      torch_cuda.getAllocator().emptyCache();
      assertThat(Gpu.ask(0).freeBytes()).isGreaterThan(before - size);
    }
  }

  @Test
  void readingANumberOnTheHostIsRefused() {
    try (Scope scope = new Scope()) {
      Tensor x = draw.normal(N);
      Runnable reads = () -> x.mul(scalar(x.sum().item_double()));
      assertThatThrownBy(() -> Graph.of(0, 1, reads))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("cannot be captured");
      assertThat(x.add(scalar(1)).isfinite().all().item_bool()).as("later work").isTrue();
    }
  }

  @Test
  void drawingRandomNumbersIsRefused() {
    try (Scope scope = new Scope()) {
      Tensor x = draw.normal(N);
      assertThatThrownBy(() -> Graph.of(0, 1, () -> torch.rand_like(x)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("random");
      assertThat(x.add(scalar(1)).isfinite().all().item_bool()).as("later work").isTrue();
    }
  }

  @Test
  void afterARefusalAnotherCaptureSucceeds() {
    try (Scope scope = new Scope()) {
      Tensor x = draw.normal(N), out = zeros(x, N);
      assertThatThrownBy(() -> Graph.of(0, 1, () -> x.sum().item_double()))
          .isInstanceOf(IllegalStateException.class);
      try (Graph graph = Graph.of(0, 1, () -> out.copy_(x))) {
        graph.replay();
      }
      assertThat(out.equal(x)).isTrue();
    }
  }

  @Test
  void theDefaultStreamAndAClosedGraphAreRefused() {
    try (Scope scope = new Scope()) {
      Tensor x = draw.normal(N);
      assertThatThrownBy(() -> Graph.capture(() -> x.add_(scalar(1))))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("SideStream");
      Graph graph = Graph.of(0, 1, () -> x.add_(scalar(1)));
      graph.close();
      assertThatThrownBy(graph::replay)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
  }
}
