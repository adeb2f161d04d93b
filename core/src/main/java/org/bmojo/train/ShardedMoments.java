package org.bmojo.train;

import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bmojo.kernels.op.AdamW;
import org.bmojo.kernels.torch.Owned;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.parallel.Collective;
import org.bmojo.parallel.Group;
import org.bmojo.tape.Parameter;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Moments shared out among processes: the first stage of ZeRO (Rajbhandari et al. 2020). Each has
 * all weights, and updates a part of them with the sums of all gradients for that part; then all
 * get all parts.
 *
 * <p>Gradients are summed bucket by bucket while the backward pass goes on: from the last layers to
 * the first, as it makes them.
 */
final class ShardedMoments implements Moments {
  /** Elements after which the next bucket begins: 32 MB of gradients. */
  private static final long BUCKET = 1 << 23;

  private final Map<String, Parameter> parameters;
  private final Group group;
  private final List<Bucket> buckets = new ArrayList<>();
  private final Map<Parameter, Bucket> bucketOf = new IdentityHashMap<>();
  private final List<AdamW.Slot> slots;

  /** The moments of all processes, on the CPU, as long as they are asked for. */
  private final Map<String, Owned> collected = new LinkedHashMap<>();

  private int summed; // buckets whose sum was begun

  /** Starts from zeros. */
  ShardedMoments(Map<String, Parameter> parameters, double decay, Group group) {
    this.parameters = parameters;
    this.group = group;
    Map<List<ScalarType>, Bucket.Filler> fillers = new LinkedHashMap<>();
    for (String name : List.copyOf(parameters.keySet()).reversed()) {
      Parameter p = Objects.requireNonNull(parameters.get(name));
      List<ScalarType> types =
          List.of(p.master().scalar_type().intern(), p.value().scalar_type().intern());
      Bucket.Filler filler = fillers.computeIfAbsent(types, _ -> new Bucket.Filler(group));
      filler.add(name, p);
      if (filler.used() >= BUCKET) add(Objects.requireNonNull(fillers.remove(types)).done());
    }
    fillers.values().forEach(filler -> add(filler.done()));
    try (Scope scope = new Scope()) {
      // A list that cannot change, and that kernels know again.
      slots = List.copyOf(buckets.stream().flatMap(b -> b.slots(decay).stream()).toList());
    }
  }

  private void add(Bucket bucket) {
    buckets.add(bucket);
    bucket.places().forEach(place -> bucketOf.put(place.parameter(), bucket));
  }

  @Override
  public List<AdamW.Slot> slots() {
    return slots;
  }

  /** Sums begin in the order of the buckets, which is the same in all processes. */
  @Override
  public void whole(Parameter p) {
    Objects.requireNonNull(bucketOf.get(p)).whole(p);
    while (summed < buckets.size() && buckets.get(summed).isWhole()) {
      buckets.get(summed++).beginSum();
    }
  }

  @Override
  public void gather() {
    // What no pass of this update came by has no gradient here; others may have one.
    for (Parameter p : parameters.values()) if (p.gradient() == null) whole(p);
    if (summed < buckets.size()) throw new IllegalStateException("a gradient is missing");
    buckets.forEach(Bucket::awaitSum);
    summed = 0;
  }

  @Override
  public void spread() {
    letGo();
    List<Collective> under = buckets.stream().map(Bucket::beginSpread).toList();
    under.forEach(Collective::await);
  }

  @Override
  public void collect() {
    Map<String, List<Tensor>> found = new HashMap<>();
    try (Scope scope = new Scope()) {
      for (Bucket bucket : buckets) {
        bucket.collectMasters();
        try (Scope inner = new Scope()) {
          List<Tensor> moments = bucket.moments();
          if (!group.ranks().isFirst()) continue; // It alone writes.
          for (Bucket.Place place : bucket.places()) {
            long[] shape = Shapes.of(place.parameter().master());
            List<Tensor> own = new ArrayList<>();
            for (Tensor all : moments) {
              Tensor part = all.narrow(0, place.from(), place.count()).view(shape);
              own.add(inner.keep(part.to(new Device("cpu"), part.scalar_type())));
            }
            found.put(place.name(), own);
          }
        }
      }
      letGo();
      for (String name : parameters.keySet()) {
        List<Tensor> pair = found.get(name);
        if (pair == null) continue;
        collected.put(name + ".first", new Owned(pair.get(0)));
        collected.put(name + ".second", new Owned(pair.get(1)));
      }
    }
  }

  @Override
  public Map<String, Tensor> state() {
    if (collected.isEmpty()) {
      try (Scope scope = new Scope()) {
        parameters.forEach((name, p) -> {
          Tensor like = p.master();
          for (String moment : List.of(".first", ".second")) {
            Tensor none = zeros(like, Shapes.of(like)).to(new Device("cpu"), like.scalar_type());
            collected.put(name + moment, new Owned(none));
          }
        });
      }
    }
    Map<String, Tensor> state = new LinkedHashMap<>();
    collected.forEach((name, t) -> state.put(name, t.get()));
    return state;
  }

  @Override
  public void restored() {
    try (Scope scope = new Scope()) {
      Map<String, Tensor> state = state();
      for (Bucket bucket : buckets) {
        for (Bucket.Place place : bucket.places()) {
          bucket.take(
              place,
              Objects.requireNonNull(state.get(place.name() + ".first")),
              Objects.requireNonNull(state.get(place.name() + ".second")));
        }
      }
    }
    letGo();
  }

  private void letGo() {
    collected.values().forEach(Owned::close);
    collected.clear();
  }

  @Override
  public void close() {
    letGo();
    buckets.forEach(Bucket::close);
  }
}
