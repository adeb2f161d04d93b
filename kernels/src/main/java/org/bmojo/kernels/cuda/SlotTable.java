package org.bmojo.kernels.cuda;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.op.AdamW.Slot;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Where parameters of the same types lie.
 *
 * @param addresses a {@code Slot} of {@code adamw.cu} per parameter, on the device
 * @param count of parameters
 * @param chunks of elements in them all, of which a block takes one
 * @param program compiled for their types
 */
record SlotTable(Tensor addresses, int count, long chunks, Program program) {
  private static final int CHUNK = 4096, COLUMNS = 8;

  /** One table for every combination of types. */
  static List<SlotTable> of(String operation, List<Slot> slots) {
    Map<List<ScalarType>, List<Slot>> groups = new LinkedHashMap<>();
    for (Slot slot : slots) {
      if (slot.weight().numel() == 0) continue;
      List<ScalarType> types =
          List.of(type(slot.weight()), type(slot.gradient()), type(slot.first()));
      groups.computeIfAbsent(types, t -> new ArrayList<>()).add(slot);
    }
    List<SlotTable> tables = new ArrayList<>();
    groups.values().forEach(group -> tables.add(table(operation, group)));
    return List.copyOf(tables);
  }

  Kernel kernel(String name) {
    return program.kernel(name);
  }

  private static SlotTable table(String operation, List<Slot> group) {
    Slot head = group.getFirst();
    Door door = new Door(operation, head.weight());
    long[] table = new long[group.size() * COLUMNS];
    long chunks = 0;
    for (int i = 0, at = 0; i < group.size(); i++) {
      Slot slot = group.get(i);
      long[] shape = Shapes.of(slot.weight());
      table[at++] = address(door, "weight", slot.weight(), type(slot.weight()), shape);
      table[at++] =
          slot.copy() == null ? 0 : address(door, "copy", slot.copy(), ScalarType.BFloat16, shape);
      table[at++] = address(door, "gradient", slot.gradient(), type(slot.gradient()), shape);
      table[at++] = address(door, "first moment", slot.first(), type(slot.first()), shape);
      table[at++] = address(door, "second moment", slot.second(), type(slot.first()), shape);
      table[at++] = slot.weight().numel();
      table[at++] = chunks;
      table[at++] = Double.doubleToRawLongBits(slot.decay());
      chunks += (slot.weight().numel() + CHUNK - 1) / CHUNK;
    }
    // From pageable memory a copy has left the host's array when the call returns.
    Tensor addresses =
        Tensor.create(table, table.length)
            .to(head.weight().device(), ScalarType.Long, true, false, new MemoryFormatOptional());
    Program program =
        Program.of(
            head.weight(),
            "adamw",
            "WEIGHT=" + Program.type(head.weight()),
            "GRADIENT=" + Program.type(head.gradient()),
            "MOMENT=" + Program.type(head.first()));
    return new SlotTable(addresses, group.size(), chunks, program);
  }

  private static ScalarType type(Tensor t) {
    return t.scalar_type().intern();
  }

  /** Refuses what the kernel would misread: other shapes, gaps, another device or type. */
  private static long address(Door door, String name, Tensor t, ScalarType type, long[] shape) {
    if (type != ScalarType.Float && type != ScalarType.BFloat16) {
      throw new BadInput(
          door.operation() + ": " + name + " is " + type,
          "expected float32 or bfloat16",
          "convert it or use the reference backend");
    }
    Shapes.expect(door.operation(), name, t, shape);
    return door.mutable(name, t, type).data_ptr().address();
  }
}
