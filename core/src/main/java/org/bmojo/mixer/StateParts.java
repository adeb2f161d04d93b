package org.bmojo.mixer;

import static org.bmojo.kernels.torch.Tensors.cat;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.bmojo.error.BadInput;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The tensors that a state consists of, by dotted name. The first axis of each is the batch, so
 * sequences join, leave and are copied alike in every kind of layer; and there is nothing else in a
 * state but its {@link Positions}.
 */
final class StateParts {
  private final Map<String, Owned> parts;
  private final Set<String> growing;
  private final Set<String> sparse;
  private final String prefix;

  private StateParts(
      Map<String, Owned> parts, Set<String> growing, Set<String> sparse, String prefix) {
    this.parts = parts;
    this.growing = growing;
    this.sparse = sparse;
    this.prefix = prefix;
  }

  /** Anything with tensors to name. */
  interface Parted {
    /** Tells {@code parts} every tensor. */
    void parts(StateParts parts);
  }

  /** Of {@code state}. */
  static StateParts of(Parted state) {
    StateParts parts = new StateParts(new LinkedHashMap<>(), new HashSet<>(), new HashSet<>(), "");
    state.parts(parts);
    return parts;
  }

  /** Adds a tensor (B, …); an absent one is skipped. */
  StateParts add(String name, @Nullable Owned part) {
    if (part != null && parts.putIfAbsent(prefix + name, part) != null) {
      throw new IllegalStateException("two parts are called " + prefix + name);
    }
    return this;
  }

  /** Adds a tensor (B, P, …) that gets more rows P as more tokens are read. */
  StateParts addGrowing(String name, Owned part) {
    growing.add(prefix + name);
    return add(name, part);
  }

  /** The same, of positions that need not all be there. */
  StateParts addSparse(String name, Owned part) {
    sparse.add(prefix + name);
    return addGrowing(name, part);
  }

  /** Adds the tensors of a part under {@code name.}; an absent one is skipped. */
  StateParts in(String name, @Nullable Parted part) {
    if (part != null) part.parts(new StateParts(parts, growing, sparse, prefix + name + "."));
    return this;
  }

  /** All so far, in order. */
  Map<String, Tensor> tensors() {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    parts.forEach((name, part) -> tensors.put(name, part.get()));
    return tensors;
  }

  /** Goes on with some rows only, in their order. */
  void retain(int... rows) {
    long[] wide = Arrays.stream(rows).asLongStream().toArray();
    parts
        .values()
        .forEach(part -> {
          try (Scope _ = new Scope()) {
            part.set(part.get().index_select(0, Positions.index(part.get(), wide)));
          }
        });
  }

  /** Holds copies of some rows of {@code other}, a state of the same layer. */
  void copy(StateParts other, int... rows) {
    long[] wide = Arrays.stream(rows).asLongStream().toArray();
    parts.forEach((name, part) -> {
      try (Scope _ = new Scope()) {
        Tensor all = other.part(name);
        part.set(all.index_select(0, Positions.index(all, wide)));
      }
    });
  }

  /** Copies row {@code from} of {@code other}, a state of the same layer, over row {@code to}. */
  void put(int to, StateParts other, int from) {
    parts.forEach((name, part) -> {
      try (Scope _ = new Scope()) {
        Tensor row = other.part(name).select(0, from);
        if (!growing.contains(name)) {
          part.get().select(0, to).copy_(row);
          return;
        }
        long rows = row.size(0);
        if (part.get().size(1) < rows) part.set(padded(part.get(), rows));
        part.get().select(0, to).narrow(0, 0, rows).copy_(row);
      }
    });
  }

  /** Adds the rows of {@code other}, a state of the same layer, behind its own. */
  void append(StateParts other) {
    parts.forEach((name, part) -> {
      try (Scope _ = new Scope()) {
        Tensor a = part.get(), b = other.part(name);
        if (growing.contains(name)) {
          long rows = Math.max(a.size(1), b.size(1));
          a = padded(a, rows);
          b = padded(b, rows);
        }
        part.set(cat(0, a, b));
      }
    });
  }

  /** Row p of a growing part is position p's: more of them change nothing. */
  private static Tensor padded(Tensor t, long rows) {
    if (t.size(1) == rows) return t;
    long[] shape = Shapes.of(t);
    shape[1] = rows - t.size(1);
    return cat(1, t, zeros(t, shape));
  }

  /**
   * Holds copies of {@code tensors}.
   *
   * @param position tokens read by then
   * @throws BadInput if they are not of such a state; nothing has changed then
   */
  void fill(Map<String, Tensor> tensors, long position) {
    if (!tensors.keySet().equals(parts.keySet())) {
      throw foreign("tensors " + tensors.keySet(), "expected " + parts.keySet());
    }
    parts.forEach((name, part) -> expectLike(name, part.get(), tensors.get(name), position));
    parts.forEach((name, part) -> {
      try (Scope _ = new Scope()) {
        Tensor given = tensors.get(name);
        if (given == null) throw new AssertionError(name);
        Tensor own = part.get();
        part.set(
            given.to(own.device(), own.scalar_type(), false, true, new MemoryFormatOptional()));
      }
    });
  }

  private void expectLike(String name, Tensor own, @Nullable Tensor given, long position) {
    if (given == null) throw new AssertionError(name);
    long[] wanted = Shapes.of(own), found = Shapes.of(given);
    if (wanted[0] == 0) wanted[0] = 1; // A state that waits to be filled.
    if (growing.contains(name) && found.length == wanted.length) {
      if (found[1] < position && !sparse.contains(name)) {
        throw foreign(
            name + " has room for " + found[1] + " tokens", "expected the " + position + " read");
      }
      wanted[1] = found[1];
    }
    ScalarType type = given.scalar_type().intern();
    boolean sameType = own.scalar_type().intern() == type;
    boolean narrower = type == ScalarType.BFloat16 && MixerState.bearsRounding(name);
    if (!(sameType || narrower) || !Arrays.equals(wanted, found)) {
      throw foreign(
          name + " is " + given.scalar_type().intern() + " " + Arrays.toString(found),
          "expected " + own.scalar_type().intern() + " " + Arrays.toString(wanted));
    }
  }

  private static BadInput foreign(String found, String expected) {
    return new BadInput(
        "a state with " + found, expected, "Use a memory that this very model made");
  }

  private Tensor part(String name) {
    Owned part = parts.get(name);
    if (part == null) throw new IllegalStateException("no part " + name + ": another layer's");
    return part.get();
  }
}
