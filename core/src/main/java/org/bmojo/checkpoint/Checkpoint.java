package org.bmojo.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Optional;
import org.bmojo.error.BadInput;
import org.bmojo.foreign.Architectures;
import org.bmojo.io.AtomicFolder;
import org.bmojo.io.Json;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.ModelConfig;
import org.bmojo.text.Tokenizer;
import org.bmojo.train.Optimizer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A model read from a folder, with the tokenizer and the training state that lay beside it.
 *
 * <pre>{@code
 * Checkpoint.save(folder, model, tokenizer);
 * try (Checkpoint saved = Checkpoint.open(folder)) {
 *   saved.model().logits(ids, null);
 * }
 * }</pre>
 *
 * <p>What {@link #save} writes:
 *
 * <pre>
 *   config.json             architectures, format version, the model's configuration
 *   model.safetensors       weights
 *   tokenizer.json          if there is a tokenizer
 *   training.json           if training is to go on: step, data position, settings
 *   optimizer.safetensors   then also AdamW's moments
 *   checksums.json          length and CRC-32C of each of the others
 * </pre>
 */
public final class Checkpoint implements AutoCloseable {
  /** The file that makes a folder a model. */
  static final String CONFIG = "config.json";

  /** What {@code config.json} calls our own layout. */
  public static final String OWN_ARCHITECTURE = BMojoLayout.ARCHITECTURE;

  /** The folder's name within a training run's. */
  public static final String WITHIN_RUN = "model";

  /** Every way of keeping models that can be read. */
  static final List<Layout> LAYOUTS = List.of(new BMojoLayout(), new ForeignLayout());

  private static final int ATTEMPTS = 4;

  private final LanguageModel model;
  private final @Nullable Tokenizer tokenizer;
  private final @Nullable TrainingState training;
  private final @Nullable Moments moments;
  private final Path folder;

  /** AdamW's moments, still on the disk. */
  interface Moments {
    /** Fills them into {@code optimizer}, which is to go on after {@code step}. */
    void restore(Optimizer optimizer, long step);
  }

  Checkpoint(
      Path folder,
      LanguageModel model,
      @Nullable Tokenizer tokenizer,
      @Nullable TrainingState training,
      @Nullable Moments moments) {
    this.folder = folder;
    this.model = model;
    this.tokenizer = tokenizer;
    this.training = training;
    this.moments = moments;
  }

  /**
   * Reads and verifies a model's folder.
   *
   * @param folder with a {@code config.json}, or a training run's folder
   * @throws BadInput if anything is missing, damaged, of another configuration or a newer format
   */
  public static Checkpoint open(Path folder) {
    for (int attempt = 1; ; attempt++) {
      Path current = locate(folder);
      @Nullable Object before = identity(current);
      try {
        JsonNode config = Json.foreignTree(current.resolve(CONFIG));
        return layout(current, config).read(current, config);
      } catch (BadInput e) {
        // A training run may have saved while we read, half from the old folder, half from the new.
        boolean replaced = before != null && !before.equals(identity(locate(folder)));
        if (!replaced || attempt == ATTEMPTS) throw e;
      }
    }
  }

  /** The configuration of the model in {@code folder}, without reading its weights. */
  public static ModelConfig config(Path folder) {
    Path current = locate(folder);
    JsonNode config = Json.foreignTree(current.resolve(CONFIG));
    return layout(current, config).config(current, config);
  }

  /** What {@code config.json} in {@code folder} calls the model; its weights are not read. */
  public static String architecture(Path folder) {
    Path current = locate(folder);
    JsonNode config = Json.foreignTree(current.resolve(CONFIG));
    layout(current, config);
    return Architectures.nameIn(config);
  }

  /**
   * Saves a model to use, not to train further. Replaces the whole of {@code folder} at once:
   * whenever the process dies, the folder is the old one or the new one.
   *
   * @throws BadInput if the disk refuses; what was there is still there
   */
  public static void save(Path folder, LanguageModel model, @Nullable Tokenizer tokenizer) {
    BMojoLayout.save(folder, model, tokenizer, null, null);
  }

  /** Saves a model together with all that training needs to go on from here. */
  public static void save(
      Path folder,
      LanguageModel model,
      @Nullable Tokenizer tokenizer,
      Optimizer optimizer,
      TrainingState training) {
    BMojoLayout.save(folder, model, tokenizer, optimizer, training);
  }

  /**
   * Saves a model in the layout of others, so that their programs read it.
   *
   * @param base keys of a {@code config.json} to keep where this does not set them; null for none
   * @return the architecture it was written as
   * @throws BadInput if it is like no architecture but our own, or the disk refuses
   */
  public static String export(
      Path folder, LanguageModel model, @Nullable Tokenizer tokenizer, @Nullable JsonNode base) {
    return ForeignLayout.save(folder, model, tokenizer, base);
  }

  /** Whether some architecture of others can express {@code model}. */
  public static boolean exportable(LanguageModel model) {
    return Architectures.writing(model.config()) != null;
  }

  /** Whether {@code folder} holds a model or a run with one. */
  public static boolean exists(Path folder) {
    return Files.exists(AtomicFolder.current(folder).resolve(CONFIG))
        || Files.exists(AtomicFolder.current(folder.resolve(WITHIN_RUN)).resolve(CONFIG));
  }

  private static Path locate(Path folder) {
    Path itself = AtomicFolder.current(folder);
    if (Files.exists(itself.resolve(CONFIG))) return itself;
    Path within = AtomicFolder.current(folder.resolve(WITHIN_RUN));
    if (Files.exists(within.resolve(CONFIG))) return within;
    throw new BadInput(
        folder + (Files.isDirectory(folder) ? " holds no model" : " is no folder"),
        "expected a folder with " + CONFIG + ", or a training run's",
        "Check the path; ./bmojo train makes such folders");
  }

  private static Layout layout(Path folder, JsonNode config) {
    String architecture = Architectures.nameIn(config);
    for (Layout layout : LAYOUTS) if (layout.reads(architecture)) return layout;
    throw new BadInput(
        folder.resolve(CONFIG) + " has the architectures " + config.path("architectures"),
        "expected one of "
            + BMojoLayout.ARCHITECTURE
            + ", "
            + String.join(", ", Architectures.names()),
        "Use a model of such an architecture, or a version of this program that reads it");
  }

  /** Changes when the folder is replaced; null where there is none. */
  private static @Nullable Object identity(Path folder) {
    try {
      var attributes = Files.readAttributes(folder, BasicFileAttributes.class);
      return List.of(
          Optional.ofNullable(attributes.fileKey()), attributes.lastModifiedTime(), folder);
    } catch (IOException gone) {
      return null;
    }
  }

  /** Where the model's files lie; within a training run's folder if that was opened. */
  public Path folder() {
    return folder;
  }

  /** The model; closed with this. */
  public LanguageModel model() {
    return model;
  }

  /** Whether there is a tokenizer. */
  public boolean hasTokenizer() {
    return tokenizer != null;
  }

  /**
   * The tokenizer.
   *
   * @throws BadInput if the folder has none
   */
  public Tokenizer tokenizer() {
    if (tokenizer != null) return tokenizer;
    throw new BadInput(
        folder + " has no tokenizer",
        "expected " + Tokenizer.FILE,
        "Copy the model's tokenizer there, or use a command that takes ids");
  }

  /** Where training stands; null for a model that was saved to be used. */
  public @Nullable TrainingState training() {
    return training;
  }

  /**
   * Makes {@code optimizer}, that of {@link #model}'s parameters, go on from {@link #training}.
   *
   * @throws BadInput if the folder has no training state, or one of another model
   */
  public void restore(Optimizer optimizer) {
    if (training != null && moments != null) {
      moments.restore(optimizer, training.step());
      return;
    }
    throw new BadInput(
        folder + " has no training state",
        "expected training.json and optimizer.safetensors",
        "Start a new run, or resume from a checkpoint that a run saved");
  }

  @Override
  public void close() {
    model.close();
  }
}
