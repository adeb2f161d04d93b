package org.bmojo.kernels.cuda;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * {@code adamw.cu}: one launch for all parameters of the same types. A table of their addresses is
 * sent to the device in every call, seven numbers a parameter.
 */
public final class CudaAdamW implements AdamW {
  private static final String OP = "AdamW";
  private static final int CHUNK = 4096, THREADS = 256, COLUMNS = 7;

  @Override
  public double gradientNorm(List<Slot> slots) {
    double sum = 0;
    for (List<Slot> group : groups(slots).values()) {
      try (Scope scope = new Scope()) {
        Table table = new Table(group);
        Tensor parts = Floats.empty(table.like, ScalarType.Double, table.chunks);
        Tensor total = Floats.empty(table.like, ScalarType.Double, 1);
        table
            .program
            .kernel("squares")
            .launch(new Grid(table.chunks, THREADS), table.tensor, group.size(), parts);
        table.program.kernel("total").launch(new Grid(1, 1024), parts, table.chunks, total);
        sum += total.item_double();
      }
    }
    return Math.sqrt(sum);
  }

  @Override
  public void step(List<Slot> slots, Settings s) {
    for (List<Slot> group : groups(slots).values()) {
      try (Scope scope = new Scope()) {
        Table table = new Table(group);
        table
            .program
            .kernel("step")
            .launch(
                new Grid(table.chunks, THREADS),
                table.tensor,
                group.size(),
                (float) s.learningRate(),
                (float) s.beta1(),
                (float) s.beta2(),
                (float) s.eps(),
                (float) s.gradientScale(),
                (float) (1 / (1 - Math.pow(s.beta1(), s.step()))),
                (float) (1 / (1 - Math.pow(s.beta2(), s.step()))));
      }
    }
  }

  /** Parameters by their types. */
  private static Map<List<ScalarType>, List<Slot>> groups(List<Slot> slots) {
    Map<List<ScalarType>, List<Slot>> groups = new LinkedHashMap<>();
    for (Slot slot : slots) {
      if (slot.weight().numel() == 0) continue;
      List<ScalarType> types =
          List.of(
              slot.weight().scalar_type().intern(),
              slot.gradient().scalar_type().intern(),
              slot.first().scalar_type().intern());
      groups.computeIfAbsent(types, t -> new ArrayList<>()).add(slot);
    }
    return groups;
  }

  /** Where the parameters of a group lie, on the device. */
  private static final class Table {
    final Tensor like, tensor;
    final long chunks;
    final Program program;

    Table(List<Slot> group) {
      Slot head = group.getFirst();
      like = head.weight();
      long[] table = new long[group.size() * COLUMNS];
      long count = 0;
      for (int i = 0; i < group.size(); i++) {
        Slot slot = group.get(i);
        long[] shape = Shapes.of(slot.weight());
        table[i * COLUMNS] = address("weight", slot.weight(), shape);
        table[i * COLUMNS + 1] = address("gradient", slot.gradient(), shape);
        table[i * COLUMNS + 2] = address("first moment", slot.first(), shape);
        table[i * COLUMNS + 3] = address("second moment", slot.second(), shape);
        table[i * COLUMNS + 4] = slot.weight().numel();
        table[i * COLUMNS + 5] = count;
        table[i * COLUMNS + 6] = Double.doubleToRawLongBits(slot.decay());
        count += (slot.weight().numel() + CHUNK - 1) / CHUNK;
      }
      chunks = count;
      tensor = Tensor.create(table, table.length).to(like.device(), ScalarType.Long);
      program =
          Program.of(
              like,
              "adamw",
              "WEIGHT=" + Program.type(like),
              "GRADIENT=" + Program.type(head.gradient()),
              "MOMENT=" + Program.type(head.first()));
    }

    /** Refuses what the kernel would misread: other shapes, gaps, another device or type. */
    private long address(String name, Tensor t, long[] shape) {
      Shapes.expect(OP, name, t, shape);
      ScalarType type = t.scalar_type().intern();
      return new Door(OP, like).mutable(name, t, type).data_ptr().address();
    }
  }
}
