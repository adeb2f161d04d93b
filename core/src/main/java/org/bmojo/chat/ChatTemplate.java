package org.bmojo.chat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.io.FileTrouble;
import org.bmojo.io.Json;
import org.bmojo.jinja.Template;
import org.bmojo.jinja.TemplateError;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Writes conversations as the text that a model reads. Immutable. */
public final class ChatTemplate {
  private static final String CONFIG = "tokenizer_config.json", JINJA = "chat_template.jinja";
  private static final List<String> TOKENS =
      List.of("bos_token", "eos_token", "unk_token", "pad_token");

  private final @Nullable Template template;
  private final Map<String, Object> tokens;

  private ChatTemplate(@Nullable Template template, Map<String, Object> tokens) {
    this.template = template;
    this.tokens = tokens;
  }

  /**
   * A line for each message, for models that were not trained on conversations:
   *
   * <pre>
   * User: …
   * Assistant: …
   * </pre>
   */
  public static ChatTemplate plain() {
    return new ChatTemplate(null, Map.of());
  }

  /** By a Jinja template. */
  public static ChatTemplate of(String jinja, Map<String, String> tokens) {
    return new ChatTemplate(parse(jinja, "the chat template"), new LinkedHashMap<>(tokens));
  }

  /**
   * That of the model in {@code folder}: {@code chat_template.jinja}, or {@code chat_template} in
   * {@code tokenizer_config.json}; {@link #plain} where it has none.
   *
   * @throws BadInput if it is malformed
   */
  public static ChatTemplate read(Path folder) {
    Path configPath = folder.resolve(CONFIG), jinjaPath = folder.resolve(JINJA);
    Map<String, Object> tokens = new LinkedHashMap<>();
    String source = null;
    if (Files.exists(configPath)) {
      JsonNode config = Json.foreignTree(configPath);
      for (String name : TOKENS) {
        JsonNode token = config.path(name);
        if (token.isObject()) token = token.path("content");
        if (token.isString()) tokens.put(name, token.stringValue());
      }
      source = source(config.path("chat_template"));
    }
    try {
      if (Files.exists(jinjaPath)) source = Files.readString(jinjaPath);
    } catch (IOException e) {
      throw FileTrouble.reading(jinjaPath, e);
    }
    return source == null ? plain() : new ChatTemplate(parse(source, folder.toString()), tokens);
  }

  /** Some models have several, of which one is called default. */
  private static @Nullable String source(JsonNode node) {
    if (node.isString()) return node.stringValue();
    for (JsonNode named : node) {
      if (named.path("name").asString("").equals("default")) {
        return named.path("template").asString();
      }
    }
    return null;
  }

  private static Template parse(String source, String where) {
    try {
      return Template.of(source);
    } catch (TemplateError e) {
      throw new BadInput(
          where + " has a chat template that cannot be read (" + e.getMessage() + ")",
          "expected Jinja as other chat templates use it",
          "Use /v1/completions, or report the template",
          e);
    }
  }

  /** Whether the model brought a template of its own. */
  public boolean isOwn() {
    return template != null;
  }

  /** What ends an answer beside the model's own end token: without a template, the next turn. */
  public List<String> stops() {
    return template == null ? List.of("\nUser:") : List.of();
  }

  /**
   * The text that ends where the assistant's answer begins.
   *
   * @param continues whether it goes on after what the model remembers already
   * @throws BadInput if the template refuses the conversation
   */
  public String render(List<Message> messages, boolean continues) {
    if (messages.isEmpty()) {
      throw new BadInput("no messages", "expected at least one", "Add what the user says");
    }
    if (template == null) return plainly(messages, continues);
    Map<String, Object> variables = new LinkedHashMap<>(tokens);
    if (continues) variables.put("bos_token", "");
    List<Object> turns = new ArrayList<>();
    for (Message m : messages) turns.add(Map.of("role", m.role(), "content", m.content()));
    variables.put("messages", turns);
    variables.put("add_generation_prompt", true);
    try {
      return template.render(variables, LocalDateTime.now(ZoneId.systemDefault()));
    } catch (TemplateError e) {
      throw new BadInput(
          (e.isRaised() ? "the model's chat template says: " : "the model's chat template failed: ")
              + e.getMessage(),
          "expected a conversation that it takes",
          "Change the messages' roles or order",
          e);
    }
  }

  private static String plainly(List<Message> messages, boolean continues) {
    StringBuilder text = new StringBuilder(continues ? "\n" : "");
    for (Message m : messages) {
      String name =
          switch (m.role()) {
            case "user" -> "User: ";
            case "assistant" -> "Assistant: ";
            default -> "";
          };
      text.append(name).append(m.content()).append('\n');
    }
    return text.append("Assistant:").toString();
  }
}
