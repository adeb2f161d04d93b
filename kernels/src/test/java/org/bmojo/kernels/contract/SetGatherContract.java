package org.bmojo.kernels.contract;

import static org.bmojo.kernels.contract.Trial.get;
import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.stack;

import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.bmojo.kernels.Kernels;
import org.bmojo.kernels.op.SetGather;
import org.bmojo.kernels.op.SetGather.Sets;
import org.bmojo.kernels.torch.Scope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every room's gather must do. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SetGatherContract {
  abstract Room room();

  /** Sizes: P of the past, T new tokens, M sets of E slots, rows of {@code width} numbers. */
  record Case(ScalarType type, int past, int tokens, int sets, int slots, long width) {}

  Stream<Case> cases() {
    return room().types().stream()
        .flatMap(type ->
            Stream.of(
                new Case(type, 0, 1, 1, 1, 1),
                new Case(type, 0, 13, 3, 5, 1),
                new Case(type, 7, 63, 4, 16, 24),
                new Case(type, 20, 207, 37, 13, 33),
                new Case(type, 5, 40, 70, 64, 64)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void keepsTheContract(Case c) {
    try (Scope scope = new Scope()) {
      int batch = 2;
      Draw draw = room().draw(c.tokens * 1000L + c.slots, c.type);
      Tensor past = c.past == 0 ? null : draw.normal(batch, c.past, c.width);
      Tensor fresh = draw.normal(batch, c.tokens, c.width);
      Sets sets = sets(c, batch);
      Tensor filled = sets.positions().ge(new Scalar(0L)).unsqueeze(-1);
      // Nothing flows from empty slots: their weight in attention is zero.
      Tensor dy = draw.normal(batch, c.sets, c.slots, c.width).mul(filled.to(c.type));
      Autograd wanted =
          Autograd.of(
              Map.of("fresh", fresh), in -> List.of(compose(past, get(in, "fresh"), sets)), dy);
      Trial.run(
          Map.of("fresh", fresh, "rows", sets.rows(), "positions", sets.positions(), "dy", dy),
          room().kernels().setGather(),
          Kernels.REFERENCE.setGather(),
          op -> answer(op, past, fresh, sets, dy),
          Map.of(
              "y",
              wanted.outputs().getFirst(),
              "dfresh",
              wanted.gradient("fresh"),
              "onto fresh",
              wanted.gradient("fresh").add(Close.wide(fresh))),
          c.sets);
    }
  }

  private static Map<String, Tensor> answer(
      SetGather op, @Nullable Tensor past, Tensor fresh, Sets sets, Tensor dy) {
    long before = past == null ? 0 : past.size(1);
    return Map.of(
        "y", op.forward(past, fresh, sets),
        "dfresh", op.backward(sets, before, fresh.size(1), dy),
        "onto fresh", op.backwardOnto(fresh, sets, before, fresh.size(1), dy));
  }

  private static Tensor compose(@Nullable Tensor past, Tensor fresh, Sets sets) {
    Tensor all = past == null ? fresh : cat(1, past.to(fresh.device(), fresh.scalar_type()), fresh);
    Tensor rows = sets.rows().to(fresh.device(), ScalarType.Long);
    Tensor[] each = new Tensor[(int) fresh.size(0)];
    for (int b = 0; b < each.length; b++) {
      Tensor flat = all.select(0, b).index_select(0, rows.select(0, b).reshape(-1));
      each[b] = flat.reshape(rows.size(1), rows.size(2), fresh.size(2));
    }
    return stack(0, each);
  }

  /** Random ascending members; some sets are full, some empty, most in between. */
  private Sets sets(Case c, int batch) {
    SplittableRandom random = new SplittableRandom(c.tokens);
    int length = c.past + c.tokens;
    long[] rows = new long[batch * c.sets * c.slots];
    long[] positions = new long[rows.length];
    for (int set = 0; set < batch * c.sets; set++) {
      int slot = 0;
      double share = random.nextDouble() * 1.5 * c.slots / length;
      for (int row = 0; row < length && slot < c.slots; row++) {
        if (random.nextDouble() >= share) continue;
        rows[set * c.slots + slot] = row;
        positions[set * c.slots + slot++] = row;
      }
      for (; slot < c.slots; slot++) positions[set * c.slots + slot] = -1;
    }
    Device device = new Device(room().device());
    long[] shape = {batch, c.sets, c.slots};
    return new Sets(
        Tensor.create(rows, shape).to(device, ScalarType.Long),
        Tensor.create(positions, shape).to(device, ScalarType.Long));
  }
}
