package org.bmojo.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.bmojo.checkpoint.TrainingState.Settings;
import org.bmojo.data.Split;
import org.bmojo.data.TokenShards;
import org.bmojo.error.BadInput;
import org.bmojo.model.Footprint;
import org.bmojo.model.ModelConfig;
import org.bmojo.model.Recompute;
import org.bmojo.model.TrainingMemory;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** What a run would take, without beginning it. */
final class DryRun {
  /** The estimate may be so much too high. */
  private static final double DOUBT = 0.05;

  private DryRun() {}

  /**
   * What would be trained, and with what.
   *
   * @param parameters numbers in the weights, by part
   * @param memory bytes by use
   * @param bytes all of them
   * @param device where
   * @param freeBytes there
   * @param cure what to change where it does not fit
   * @param tokens to be read over all steps
   * @param epochs how often each token would be read; null where the text was not counted yet
   * @param seconds at the speed of the run's last updates; null if it took none
   */
  record Plan(
      Map<String, Long> parameters,
      TrainingMemory memory,
      long bytes,
      String device,
      long freeBytes,
      boolean fits,
      @Nullable String cure,
      long steps,
      long tokens,
      @Nullable Double epochs,
      @Nullable Double seconds) {}

  /** Estimates; nothing is written. */
  static Plan plan(RunFolder folder, ModelConfig config, Settings settings, TrainingRun.How how) {
    TrainingMemory memory = memory(config, settings, settings.batch(), how, how.recompute());
    Machine machine = Machine.of(how.placement());
    boolean fits = fits(memory, machine);
    long steps = settings.schedule().steps();
    long tokens = steps * settings.accumulation() * settings.batch() * settings.context();
    Path shards = folder.tokens(settings);
    Double epochs = null;
    if (TokenShards.exist(shards, Split.Part.TRAIN)) {
      try (TokenShards counted = TokenShards.open(shards, Split.Part.TRAIN)) {
        epochs = (double) tokens / Math.max(1, counted.tokens());
      }
    }
    Double speed = lastSpeed(folder);
    return new Plan(
        Footprint.parameters(config),
        memory,
        memory.total(),
        machine.name(),
        machine.freeBytes(),
        fits,
        fits ? null : cure(config, settings, how, machine),
        steps,
        tokens,
        epochs,
        speed == null ? null : tokens / speed);
  }

  private static @Nullable Double lastSpeed(RunFolder folder) {
    Double speed = null;
    for (JsonNode event : Metrics.read(folder.metrics())) {
      double here = event.path("tokensPerSecond").asDouble(0);
      if (here > 0) speed = here;
    }
    return speed;
  }

  /** Refuses a run that the device's free memory cannot hold, before anything is done. */
  static void requireFits(ModelConfig config, Settings settings, TrainingRun.How how) {
    TrainingMemory memory = memory(config, settings, settings.batch(), how, how.recompute());
    Machine machine = Machine.of(how.placement());
    if (fits(memory, machine)) return;
    throw new BadInput(
        "training takes about "
            + gigabytes(memory.total())
            + ", "
            + gigabytes(memory.activations())
            + " of it for "
            + settings.batch()
            + " × "
            + settings.context()
            + " tokens at a time",
        "expected no more than the "
            + gigabytes(machine.freeBytes())
            + " free ("
            + machine.name()
            + ")",
        cure(config, settings, how, machine));
  }

  private static TrainingMemory memory(
      ModelConfig config, Settings settings, int batch, TrainingRun.How how, Recompute recompute) {
    int processes = how.ranks().size();
    long own = Math.ceilDiv((long) settings.batch() * settings.accumulation(), processes);
    return TrainingMemory.of(
            config, (int) Math.min(batch, own), settings.context(), how.placement(), recompute)
        .sharedBy(processes);
  }

  private static boolean fits(TrainingMemory memory, Machine machine) {
    return (1 - DOUBT) * memory.total() <= machine.freeBytes();
  }

  private static String cure(
      ModelConfig config, Settings settings, TrainingRun.How how, Machine machine) {
    List<String> ways = new ArrayList<>();
    for (int batch = settings.batch() / 2; batch > 0; batch /= 2) {
      if (!fits(memory(config, settings, batch, how, how.recompute()), machine)) continue;
      int more = Math.ceilDiv(settings.accumulation() * settings.batch(), batch);
      ways.add("--batch " + batch + " --accumulate " + more);
      break;
    }
    for (Recompute more : Recompute.values()) {
      if (more.compareTo(how.recompute()) <= 0) continue;
      if (!fits(memory(config, settings, settings.batch(), how, more), machine)) continue;
      ways.add("--recompute " + more.name().toLowerCase(Locale.ROOT));
      break;
    }
    return ways.isEmpty()
        ? "Take a smaller model, a shorter --context or a larger device"
        : "Try " + String.join(", or ", ways);
  }

  /** For people. */
  static String text(Plan plan) {
    StringBuilder text = new StringBuilder();
    long all = plan.parameters.values().stream().mapToLong(n -> n).sum();
    line(text, "parameters", String.format(Locale.ROOT, "%,d", all));
    plan.parameters.forEach(
        (part, n) -> line(text, "  " + part, String.format(Locale.ROOT, "%,d", n)));
    line(text, "memory", "about " + gigabytes(plan.bytes));
    line(text, "  weights", gigabytes(plan.memory.weights()));
    if (plan.memory.masters() > 0) line(text, "  masters", gigabytes(plan.memory.masters()));
    line(text, "  moments", gigabytes(plan.memory.moments()));
    line(text, "  gradients", gigabytes(plan.memory.gradients()));
    line(text, "  activations", gigabytes(plan.memory.activations()));
    line(text, "  head", gigabytes(plan.memory.head()));
    line(text, "device", plan.device + ", " + gigabytes(plan.freeBytes) + " free");
    line(text, "steps", String.format(Locale.ROOT, "%,d", plan.steps));
    String epochs =
        plan.epochs == null ? "" : String.format(Locale.ROOT, ", %.2f epochs", plan.epochs);
    line(text, "tokens", String.format(Locale.ROOT, "%,d%s", plan.tokens, epochs));
    String time = plan.seconds == null ? "not known before some updates" : Pace.clock(plan.seconds);
    line(text, "time", time);
    return text.append(plan.fits ? "It fits." : "It does not fit. " + plan.cure + ".").toString();
  }

  private static void line(StringBuilder text, String what, String value) {
    text.append(String.format(Locale.ROOT, "%-18s%s%n", what, value));
  }

  private static String gigabytes(long bytes) {
    return String.format(Locale.ROOT, bytes < 100_000_000 ? "%.3f GB" : "%.1f GB", bytes / 1e9);
  }
}
