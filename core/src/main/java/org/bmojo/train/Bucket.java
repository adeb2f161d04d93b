package org.bmojo.train;

import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.parallel.Collective;
import org.bmojo.parallel.Group;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Parameters of the same types side by side, whose gradients are summed and whose weights are
 * handed round in one go. Every process updates one of as many equal parts, wherever that begins
 * and ends, and has the moments of that part alone.
 *
 * <pre>
 *   parameters   a a a a a b b b b c c c c c c c ·     · padding
 *   two parts   |  of process 0  |  of process 1  |
 * </pre>
 */
final class Bucket implements AutoCloseable {
  /** Elements that a parameter's start and a part's length are multiples of: whole vectors. */
  private static final long ALIGNMENT = 32;

  /**
   * A parameter's place.
   *
   * @param from its first element's
   */
  record Place(String name, Parameter parameter, long from) {
    long count() {
      return parameter.master().numel();
    }
  }

  /** What a place and a part have in common. */
  private record Overlap(Place place, long from, long count) {
    /** Of the parameter's own tensor. */
    Tensor of(Tensor t) {
      return t.view(-1).narrow(0, from - place.from, count);
    }
  }

  private final Group group;
  private final List<Place> places;
  private final List<Overlap> own = new ArrayList<>();
  private final long length; // L
  private final long start; // of the own part
  private final Owned gradients; // (L)
  private final Owned values; // (L)
  private final Owned first; // (L / processes)
  private final Owned second; // (L / processes)
  private final List<Owned> views = new ArrayList<>();
  private int waiting; // for the gradients of so many parameters
  private @Nullable Collective sum;

  private Bucket(Group group, List<Place> places, long used) {
    this.group = group;
    this.places = List.copyOf(places);
    int processes = group.ranks().size();
    length = Math.ceilDiv(used, ALIGNMENT * processes) * ALIGNMENT * processes;
    long part = length / processes;
    start = group.ranks().rank() * part;
    try (Scope scope = new Scope()) {
      Parameter like = places.getFirst().parameter;
      gradients = new Owned(zeros(like.master(), length));
      values = new Owned(zeros(like.value(), length));
      first = new Owned(zeros(like.master(), part));
      second = new Owned(zeros(like.master(), part));
      for (Place place : places) {
        long[] shape = Shapes.of(place.parameter.master());
        long count = place.count();
        place.parameter.own();
        place.parameter.valueInto(values.get().narrow(0, place.from, count).view(shape));
        place.parameter.gradientInto(gradients.get().narrow(0, place.from, count).view(shape));
        long from = Math.max(place.from, start);
        long to = Math.min(place.from + count, start + part);
        if (from < to) own.add(new Overlap(place, from, to - from));
      }
    }
    begin();
  }

  /** Fills a bucket with parameters of the same types, from the last to the first. */
  static final class Filler {
    private final Group group;
    private final List<Place> places = new ArrayList<>();
    private long used;

    Filler(Group group) {
      this.group = group;
    }

    void add(String name, Parameter p) {
      places.add(new Place(name, p, used));
      used += Math.ceilDiv(p.master().numel(), ALIGNMENT) * ALIGNMENT;
    }

    long used() {
      return used;
    }

    Bucket done() {
      return new Bucket(group, places, used);
    }
  }

  List<Place> places() {
    return places;
  }

  /** What this process updates. */
  List<AdamW.Slot> slots(double decay) {
    List<AdamW.Slot> slots = new ArrayList<>();
    for (Overlap o : own) {
      Parameter p = o.place.parameter;
      slots.add(
          new AdamW.Slot(
              kept(o.of(p.master())),
              p.isMixed() ? kept(values.get().narrow(0, o.from, o.count)) : null,
              kept(gradients.get().narrow(0, o.from, o.count)),
              kept(first.get().narrow(0, o.from - start, o.count)),
              kept(second.get().narrow(0, o.from - start, o.count)),
              p.decays() ? decay : 0));
    }
    return slots;
  }

  private Tensor kept(Tensor view) {
    views.add(new Owned(view));
    return view;
  }

  /** Expects the gradients of the next update. */
  private void begin() {
    waiting = places.size();
    sum = null;
  }

  /** One of the parameters has its whole gradient: zeros, if nothing flowed. */
  void whole(Parameter p) {
    p.requireGradient();
    waiting--;
  }

  boolean isWhole() {
    return waiting == 0;
  }

  /** Begins to sum over the processes. */
  void beginSum() {
    sum = group.sumParts(gradients.get());
  }

  /** Has nothing go on before the sums are there. */
  void awaitSum() {
    if (sum == null) throw new IllegalStateException("no sum was begun");
    sum.await();
    begin();
  }

  /** Begins to copy each process's part of the weights to the others. */
  Collective beginSpread() {
    return group.spreadParts(values.get());
  }

  /** Has the masters of narrower weights whole in this process, as their owners have them. */
  void collectMasters() {
    if (!places.getFirst().parameter.isMixed()) return; // Then they are the values.
    try (Scope scope = new Scope()) {
      Tensor all = zeros(gradients.get(), length);
      for (Overlap o : own) all.narrow(0, o.from, o.count).copy_(o.of(o.place.parameter.master()));
      group.spreadParts(all).await();
      for (Place place : places) {
        place.parameter.master().view(-1).copy_(all.narrow(0, place.from, place.count()));
      }
    }
  }

  /** The moments of all parts, in the caller's scope: (L) each. */
  List<Tensor> moments() {
    List<Tensor> whole = new ArrayList<>();
    for (Owned part : List.of(first, second)) {
      Tensor all = zeros(part.get(), length);
      group.part(all).copy_(part.get());
      group.spreadParts(all).await();
      whole.add(all);
    }
    return whole;
  }

  /** Takes this process's part of a parameter's whole moments. */
  void take(Place place, Tensor wholeFirst, Tensor wholeSecond) {
    for (Overlap o : own) {
      if (o.place != place) continue;
      first.get().narrow(0, o.from - start, o.count).copy_(o.of(wholeFirst));
      second.get().narrow(0, o.from - start, o.count).copy_(o.of(wholeSecond));
    }
  }

  @Override
  public void close() {
    views.forEach(Owned::close);
    gradients.close();
    values.close();
    first.close();
    second.close();
  }
}
