package org.bmojo.mixer;

import org.bmojo.layer.Initializer;
import org.bmojo.layer.Names;
import org.bmojo.tape.Tape;
import org.bmojo.tape.TorchFunction;
import org.bmojo.tape.Var;
import org.bytedeco.pytorch.Tensor;

/**
 * Innovation times importance: what the state did not foresee, as far as it is worth keeping. Its
 * logarithm joins the logits, which trains both; innovation's predictor has its own loss besides.
 */
final class CombinedScorer implements Scorer {
  final InnovationScorer innovation;
  final ImportanceScorer importance;

  CombinedScorer(int width, EideticConfig config, Initializer init) {
    innovation = new InnovationScorer(width, config, true, init);
    importance = new ImportanceScorer(width, false, config.initialBias(), init);
  }

  @Override
  public Tensor history(long batch) {
    return innovation.history(batch);
  }

  @Override
  public Var score(Tape tape, Inputs in) {
    Var surprise = innovation.score(tape, in), worth = importance.score(tape, in);
    return TorchFunction.apply(tape, t -> t[0].mul(t[1]), worth, surprise);
  }

  @Override
  public void name(Names names) {
    importance.name(names);
    names.in("innovation", innovation);
  }
}
