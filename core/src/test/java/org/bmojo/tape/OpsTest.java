package org.bmojo.tape;

import static org.assertj.core.api.Assertions.assertThat;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.scalar;
import static org.bmojo.kernels.torch.Tensors.zeros;

import org.bmojo.kernels.contract.Draw;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OpsTest {
  private final Draw draw = new Draw(11);

  @Test
  void arithmetic() {
    try (Scope scope = new Scope()) {
      new Twin("add", (tape, in) -> Ops.add(tape, in[0], in[1]), in -> in[0].add(in[1]))
          .check(draw.normal(2, 3, 5), draw.normal(2, 3, 5));
      new Twin(
              "add to itself",
              (tape, in) -> Ops.add(tape, in[0], in[0]),
              in -> in[0].mul(scalar(2)))
          .check(draw.normal(13));
      new Twin("scale", (tape, in) -> Ops.scale(tape, in[0], -0.7), in -> in[0].mul(scalar(-0.7)))
          .check(draw.normal(3, 5));
      new Twin("mean", (tape, in) -> Ops.mean(tape, in[0]), in -> in[0].mean())
          .check(draw.normal(3, 7));
      // The gradient of an average is made from the shape alone, whatever became of the input.
      new Twin(
              "mean of what is gone",
              (tape, in) -> {
                try (Scope inner = new Scope()) {
                  Var mean = Ops.mean(tape, Ops.scale(tape, in[0], 3));
                  inner.keep(mean.value());
                  return mean;
                }
              },
              in -> in[0].mul(scalar(3)).mean())
          .check(draw.normal(3, 7));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void linear(boolean bias) {
    try (Scope scope = new Scope()) {
      Tensor x = draw.normal(2, 3, 5), weight = draw.normal(7, 5);
      Twin twin =
          new Twin(
              "linear",
              (tape, in) -> Ops.linear(tape, in[0], in[1], bias ? in[2] : null),
              in -> bias ? in[0].matmul(in[1].t()).add(in[2]) : in[0].matmul(in[1].t()));
      if (bias) {
        twin.check(x, weight, draw.normal(7));
      } else {
        twin.check(x, weight);
      }
    }
  }

  @Test
  void linearRowsOfASharedMatrix() {
    try (Scope scope = new Scope()) {
      new Twin(
              "linearRows, two of them",
              (tape, in) -> {
                Var first = Ops.linearRows(tape, in[0], in[1], 0, 3);
                Var second = Ops.linearRows(tape, in[0], in[1], 4, 3);
                return Ops.add(tape, Ops.scale(tape, first, 2), second);
              },
              in -> {
                Tensor all = in[0].matmul(in[1].t());
                return all.narrow(-1, 0, 3).mul(scalar(2)).add(all.narrow(-1, 4, 3));
              })
          .check(draw.normal(2, 5, 3), draw.normal(8, 3));
    }
  }

  @Test
  void embedding() {
    try (Scope scope = new Scope()) {
      Tensor ids = Tensor.create(new long[] {3, 0, 3, 6, 1, 3}, 2, 3);
      new Twin(
              "embedding",
              (tape, in) -> Ops.embedding(tape, in[0], ids),
              in -> in[0].index_select(0, ids.reshape(-1)).reshape(2, 3, 5))
          .check(draw.normal(7, 5));
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 2", "2, 3", "4, 1", "0, 5"})
  void columns(long from, long count) {
    try (Scope scope = new Scope()) {
      new Twin(
              "columns",
              (tape, in) -> Ops.columns(tape, in[0], from, count),
              in -> in[0].narrow(-1, from, count))
          .check(draw.normal(2, 3, 5));
    }
  }

  @Test
  void reshape() {
    try (Scope scope = new Scope()) {
      new Twin(
              "reshape, beside its own input",
              (tape, in) -> {
                Var flat = Ops.reshape(tape, in[0], 6, 2);
                Var back = Ops.reshape(tape, flat, 3, 4);
                return Ops.add(tape, Ops.scale(tape, back, 3), in[0]);
              },
              in -> in[0].mul(scalar(4)))
          .check(draw.normal(3, 4));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 13})
  void delay(long tokens) {
    try (Scope scope = new Scope()) {
      Tensor first = draw.normal(2, 3);
      for (boolean given : new boolean[] {true, false}) {
        Tensor before = given ? first : zeros(first, 2, 3);
        new Twin(
                "delay",
                (tape, in) -> Ops.delay(tape, in[0], given ? first : null),
                in -> cat(1, before.unsqueeze(1), in[0].narrow(1, 0, tokens - 1)))
            .check(draw.normal(2, tokens, 3));
      }
    }
  }

  @Test
  void selectRows() {
    try (Scope scope = new Scope()) {
      Tensor rows = Tensor.create(new long[] {5, 0, 3}, 3);
      new Twin(
              "selectRows",
              (tape, in) -> Ops.selectRows(tape, in[0], rows),
              in -> in[0].index_select(0, rows))
          .check(draw.normal(7, 4));
    }
  }

  @Test
  void aCompositionThatMakesNoUseOfItsInputsIsAConstant() {
    try (Scope scope = new Scope();
        Tape tape = Tape.recording()) {
      Var x = Var.leaf(draw.normal(3));
      Var y = TorchFunction.apply(tape, t -> t[0].detach().cos(), x);
      assertThat(y.needsGradient()).isFalse();
    }
  }

  @Test
  void torchFunction() {
    try (Scope scope = new Scope()) {
      new Twin(
              "a composition of two inputs",
              (tape, in) ->
                  TorchFunction.apply(tape, t -> t[0].tanh().mul(t[1]).sum(1), in[0], in[1]),
              in -> in[0].tanh().mul(in[1]).sum(1))
          .check(draw.normal(3, 5), draw.normal(3, 5));
      new Twin(
              "the same input twice",
              (tape, in) -> TorchFunction.apply(tape, t -> t[0].mul(t[1]), in[0], in[0]),
              in -> in[0].square())
          .check(draw.normal(13));
      new Twin(
              "compositions and other operations in turn",
              (tape, in) -> {
                Var first = Ops.reshape(tape, in[0], 5, 3);
                Var second = TorchFunction.apply(tape, t -> t[0].tanh(), first);
                Var third = Ops.reshape(tape, second, 3, 5);
                Var fourth = TorchFunction.apply(tape, t -> t[0].exp(), third);
                return Ops.add(tape, fourth, third);
              },
              in -> in[0].tanh().exp().add(in[0].tanh()))
          .check(draw.normal(3, 5));
      new Twin(
              "the input itself",
              (tape, in) -> TorchFunction.apply(tape, t -> t[0], in[0]),
              in -> in[0].mul(scalar(1)))
          .check(draw.normal(13));
    }
  }
}
