package org.bmojo.layer;

import static org.bmojo.kernels.torch.Tensors.accumulated;
import static org.bmojo.kernels.torch.Tensors.zeros;

import java.util.ArrayList;
import java.util.List;
import org.bmojo.kernels.torch.Scope;
import org.bmojo.kernels.torch.Shapes;
import org.bmojo.tape.Ops;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A mixture of experts (Shazeer et al. 2017): every token goes through the few perceptrons that its
 * router ranks highest, and their outputs are summed by the router's weights.
 *
 * @param router (experts, d)
 * @param experts all of equal size
 * @param chosen how many a token goes through
 * @param renormalised whether the chosen ones' weights are made to sum to 1, as in Mixtral; in
 *     Jamba they are not
 */
public record Experts(Linear router, List<Mlp> experts, int chosen, boolean renormalised)
    implements Names.Named {
  /** Fresh weights. */
  public static Experts create(
      Initializer init, long width, long inner, int count, int chosen, boolean renormalised) {
    List<Mlp> experts = new ArrayList<>();
    Linear router = Linear.create(init, width, count);
    for (int i = 0; i < count; i++) experts.add(Mlp.create(init, width, inner, false));
    return new Experts(router, List.copyOf(experts), chosen, renormalised);
  }

  /** (B, T, d) → (B, T, d). */
  public Var forward(Tape tape, Var x) {
    try (Scope scope = new Scope()) {
      long[] shape = Shapes.of(x.value());
      Var rows = Ops.reshape(tape, x, -1, shape[2]); // (M, d)
      Var logits = router.forward(tape, rows); // (M, experts)
      Tensor picked = picked(logits.value());
      Var weights = TorchFunction.apply(tape, t -> weigh(t[0], picked), logits);

      List<Var> parts = new ArrayList<>(List.of(weights));
      List<Tensor> places = new ArrayList<>();
      List<Integer> busy = new ArrayList<>();
      for (int e = 0; e < experts.size(); e++) {
        Tensor mine = picked.select(1, e).nonzero().squeeze(1); // (m)
        if (mine.numel() == 0) continue;
        parts.add(experts.get(e).forward(tape, Ops.selectRows(tape, rows, mine)));
        places.add(mine);
        busy.add(e);
      }
      Tensor like = rows.value();
      Var sum =
          TorchFunction.apply(
              tape,
              t -> {
                Tensor total = zeros(like, Shapes.of(like));
                for (int i = 0; i < places.size(); i++) {
                  Tensor mine = places.get(i);
                  Tensor weight = t[0].select(1, busy.get(i)).index_select(0, mine).unsqueeze(1);
                  Tensor part = t[i + 1].mul(weight.to(like.scalar_type()));
                  total = total.index_add(0, mine, part);
                }
                return total;
              },
              parts.toArray(Var[]::new));
      Var out = Ops.reshape(tape, sum, shape);
      scope.keep(out.value());
      return out;
    }
  }

  /** Which experts each row goes through, (M, experts) bool. */
  private Tensor picked(Tensor logits) {
    Tensor best = torch.topk(logits, chosen, -1, true, false).get1();
    return torch.zeros_like(logits).scatter(-1, best, torch.ones_like(logits)).ne(new Scalar(0L));
  }

  /** The router's probabilities of the picked experts, 0 elsewhere, (M, experts). */
  private Tensor weigh(Tensor logits, Tensor picked) {
    Tensor all = accumulated(logits).softmax(-1);
    Tensor kept = all.mul(picked.to(all.scalar_type()));
    return renormalised ? kept.div(kept.sum(-1).unsqueeze(-1)) : kept;
  }

  @Override
  public void name(Names names) {
    names.in("router", router);
    for (int i = 0; i < experts.size(); i++) names.in("experts." + i, experts.get(i));
  }
}
