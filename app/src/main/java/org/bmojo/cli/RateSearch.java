package org.bmojo.cli;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Locale;
import org.bmojo.checkpoint.TrainingState.Settings;
import org.bmojo.data.Split;
import org.bmojo.data.TextSource;
import org.bmojo.data.TokenBatches;
import org.bmojo.data.TokenShards;
import org.bmojo.io.FileTrouble;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.text.Tokenizer;
import org.bmojo.train.RateFinder;
import org.jspecify.annotations.Nullable;

/** {@code train --lr-find}: a ramp of learning rates over a model that is thrown away. */
final class RateSearch {
  private static final double FROM = 1e-6, TO = 1;
  private static final int STEPS = 120;
  private static final int SHOWN = 16;

  private RateSearch() {}

  /** Runs the ramp on the run's data, or on shards made for it and deleted. */
  static RateFinder.Curve run(
      RunFolder folder,
      ModelConfig config,
      Tokenizer tokenizer,
      Settings settings,
      TrainingRun.How how) {
    tokenizer.requireFits(config.vocabulary());
    DryRun.requireFits(config, settings, how);
    Path tokens = folder.tokens(settings);
    if (TokenShards.exist(tokens, Split.Part.TRAIN)) {
      return ramp(tokens, config, tokenizer, settings, how);
    }
    try {
      Path home = Files.createTempDirectory("bmojo-lr-find");
      try {
        Path made = home.resolve("tokens");
        Split split = new Split(settings.heldOut(), settings.seed());
        TokenShards.write(made, TextSource.of(settings.data()), tokenizer, split);
        return ramp(made, config, tokenizer, settings, how);
      } finally {
        delete(home);
      }
    } catch (IOException e) {
      throw FileTrouble.writing(Path.of(System.getProperty("java.io.tmpdir")), e);
    }
  }

  private static RateFinder.Curve ramp(
      Path tokens,
      ModelConfig config,
      Tokenizer tokenizer,
      Settings settings,
      TrainingRun.How how) {
    try (TokenShards shards = TokenShards.open(tokens, Split.Part.TRAIN, tokenizer);
        LanguageModel model = LanguageModel.create(config, settings.seed())) {
      model.place(how.placement(), true);
      model.recompute(how.recompute());
      TokenBatches data =
          new TokenBatches(
              shards, settings.batch(), settings.context(), settings.seed(), how.separate());
      return RateFinder.ramp(model, settings.optimizer(), data, FROM, TO, STEPS);
    }
  }

  private static void delete(Path folder) throws IOException {
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path dir, @Nullable IOException trouble)
              throws IOException {
            Files.delete(dir);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /** The curve, thinned, and the suggestion. */
  static String text(RateFinder.Curve curve) {
    StringBuilder text = new StringBuilder(String.format("%-10s%s%n", "rate", "loss, smoothed"));
    List<RateFinder.Point> points = curve.points();
    int every = Math.max(1, points.size() / SHOWN);
    for (int i = 0; i < points.size(); i += every) {
      RateFinder.Point p = points.get(i);
      text.append(String.format(Locale.ROOT, "%-10.2g%.4f%n", p.rate(), p.smoothed()));
    }
    text.append(String.format(Locale.ROOT, "lowest at %.2g. ", curve.lowest()));
    Double rate = curve.suggested();
    return text.append(
            rate == null
                ? "The loss never fell: more tokens an update (--batch) may help."
                : String.format(Locale.ROOT, "Try: --lr %.1e, where it fell fastest", rate))
        .toString();
  }
}
