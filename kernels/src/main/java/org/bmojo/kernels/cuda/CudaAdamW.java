package org.bmojo.kernels.cuda;

import java.lang.ref.WeakReference;
import java.util.List;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.cuda.Kernel.Grid;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Recording;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.kernels.torch.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * {@code adamw.cu}: one launch for all parameters of the same types. Tables of their addresses are
 * sent to the device, and kept there as long as the same immutable list comes back. Each thread
 * keeps its own: one that trains another model meanwhile must not take these away.
 */
public final class CudaAdamW implements AdamW {
  private static final String OP = "AdamW";
  private static final int THREADS = 256;

  /** The tables of the list that a thread came with last. */
  private record Seen(WeakReference<List<Slot>> slots, List<SlotTable> tables) {}

  private final ThreadLocal<@Nullable Seen> last = new ThreadLocal<>();

  @Override
  public Tensor gradientNorm(List<Slot> slots) {
    try (Scope scope = new Scope()) {
      List<SlotTable> tables = tables(slots);
      if (tables.isEmpty()) return scope.keep(Tensors.of(new double[1]).squeeze());
      long chunks = tables.stream().mapToLong(SlotTable::chunks).sum(), before = 0;
      Tensor like = tables.getFirst().addresses();
      Tensor parts = Floats.empty(like, ScalarType.Double, chunks);
      Tensor norm = Floats.empty(like, ScalarType.Double);
      for (SlotTable table : tables) {
        Tensor mine = parts.narrow(0, before, table.chunks());
        table
            .kernel("adamw_squares")
            .launch(new Grid(table.chunks(), THREADS), table.addresses(), table.count(), mine);
        before += table.chunks();
      }
      tables.getFirst().kernel("adamw_norm").launch(new Grid(1, 1024), parts, chunks, norm);
      return scope.keep(norm);
    }
  }

  @Override
  public void step(List<Slot> slots, Settings s, Tensor norm) {
    launch(slots, s, norm, null);
  }

  @Override
  public void step(List<Slot> slots, Settings settings, Tensor norm, Tensor varying) {
    Shapes.expect(OP, "varying", varying, 4);
    launch(slots, settings, norm, varying);
  }

  private void launch(List<Slot> slots, Settings s, Tensor norm, @Nullable Tensor varying) {
    Shapes.expect(OP, "norm", norm);
    try (Scope scope = new Scope()) {
      for (SlotTable table : tables(slots)) {
        table
            .kernel("adamw_step")
            .launch(
                new Grid(table.chunks(), THREADS),
                table.addresses(),
                table.count(),
                (float) s.learningRate(),
                (float) s.beta1(),
                (float) s.beta2(),
                (float) s.eps(),
                (float) s.firstCorrection(),
                (float) s.secondCorrection(),
                (float) s.clip(),
                wide("norm", norm, table.addresses()),
                varying == null ? null : wide("varying", varying, table.addresses()));
      }
    }
  }

  private static Tensor wide(String name, Tensor t, Tensor like) {
    Shapes.sameDevice(OP, name, t, like);
    if (t.scalar_type().intern() == ScalarType.Double) return t;
    throw new BadInput(
        OP + ": " + name + " is " + t.scalar_type().intern(),
        "expected float64",
        "convert it, or pass what gradientNorm returned");
  }

  private List<SlotTable> tables(List<Slot> slots) {
    List<SlotTable> tables = found(slots);
    tables.forEach(table -> Recording.hold(table.addresses()));
    return tables;
  }

  /** Those of the last call if the list is the same and cannot have changed. */
  private List<SlotTable> found(List<Slot> slots) {
    Seen seen = last.get();
    if (seen != null && seen.slots.get() == slots) {
      if (!slots.isEmpty()) Device.of(slots.getFirst().weight());
      return seen.tables;
    }
    Recording.refuse("a list of parameters that was not stepped before");
    List<SlotTable> tables = SlotTable.of(OP, slots);
    boolean immutable = List.copyOf(slots) == slots;
    if (!immutable) return tables;
    if (seen != null) seen.tables.forEach(table -> table.addresses().releaseReference());
    tables.forEach(table -> table.addresses().retainReference());
    last.set(new Seen(new WeakReference<>(slots), tables));
    return tables;
  }
}
