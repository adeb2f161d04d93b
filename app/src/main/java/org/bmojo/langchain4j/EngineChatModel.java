package org.bmojo.langchain4j;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import java.util.ArrayList;
import java.util.List;
import org.bmojo.chat.ChatTemplate;
import org.bmojo.chat.Message;
import org.bmojo.error.BadInput;
import org.bmojo.generate.Decoding;
import org.bmojo.serve.Generation.Ending;
import org.bmojo.serve.Generation.Reason;
import org.bmojo.serve.Memory;
import org.bmojo.serve.Request;
import org.bmojo.serve.TextEngine;
import org.bmojo.serve.TextGeneration;
import org.jspecify.annotations.Nullable;

/**
 * LangChain4j's chat model over an engine in the same process. May be used by many threads.
 *
 * <pre>{@code
 * try (Checkpoint saved = Checkpoint.open(folder);
 *     Engine engine = new Engine(saved.model(), EngineSettings.standard())) {
 *   ChatModel model =
 *       new EngineChatModel(
 *           new TextEngine(engine, saved.tokenizer()), ChatTemplate.read(saved.folder()), 1);
 *   model.chat("Hello");
 * }
 * }</pre>
 */
public final class EngineChatModel implements ChatModel {
  private static final int STANDARD_TOKENS = 1024;

  private final TextEngine engine;
  private final ChatTemplate template;
  private final long seed;
  private final @Nullable Memory memory;

  /**
   * Chats from nothing.
   *
   * @param seed the same one gives the same answers
   */
  public EngineChatModel(TextEngine engine, ChatTemplate template, long seed) {
    this(engine, template, seed, null);
  }

  /**
   * Chats after what was remembered.
   *
   * @param memory stays as it is, and the caller's to close, after the last use of this; null for
   *     none
   */
  public EngineChatModel(
      TextEngine engine, ChatTemplate template, long seed, @Nullable Memory memory) {
    this.engine = engine;
    this.template = template;
    this.seed = seed;
    this.memory = memory;
  }

  /**
   * Answers.
   *
   * @throws BadInput if the messages are other than text, or tools are asked for
   * @throws org.bmojo.serve.Overloaded if too many wait
   */
  @Override
  public ChatResponse doChat(ChatRequest request) {
    String prompt = template.render(messages(request), memory != null);
    List<String> stops = new ArrayList<>(template.stops());
    stops.addAll(request.stopSequences());
    Integer tokens = request.maxOutputTokens();
    Request ask =
        new Request(
            memory,
            engine.tokenizer().encode(prompt),
            tokens == null ? STANDARD_TOKENS : tokens,
            decoding(request),
            -1,
            engine.ends(),
            null,
            false);
    try (TextGeneration generation = engine.submit(ask, stops)) {
      String text = generation.readAll();
      Ending end = generation.await();
      if (end.failure() != null) throw end.failure();
      return ChatResponse.builder()
          .aiMessage(AiMessage.from(text.strip()))
          .tokenUsage(new TokenUsage(end.times().promptTokens(), end.times().tokens()))
          .finishReason(end.reason() == Reason.STOP ? FinishReason.STOP : FinishReason.LENGTH)
          .build();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while waiting for an answer", e);
    }
  }

  private Decoding decoding(ChatRequest request) {
    return Decoding.random(
            or(request.temperature(), 1),
            request.topK() == null ? 0 : request.topK(),
            or(request.topP(), 1),
            seed)
        .withPenalties(1, or(request.presencePenalty(), 0), or(request.frequencyPenalty(), 0));
  }

  private static double or(@Nullable Double value, double standard) {
    return value == null ? standard : value;
  }

  private static List<Message> messages(ChatRequest request) {
    if (!request.toolSpecifications().isEmpty()) {
      throw new BadInput("a request with tools", "expected one without", "Leave them out");
    }
    List<Message> messages = new ArrayList<>();
    for (ChatMessage message : request.messages()) {
      messages.add(
          switch (message) {
            case SystemMessage m -> new Message("system", m.text());
            case UserMessage m when m.hasSingleText() -> Message.user(m.singleText());
            case AiMessage m when m.text() != null && !m.hasToolExecutionRequests() ->
                Message.assistant(m.text());
            default ->
                throw new BadInput(
                    "a message of " + message.type(),
                    "expected text of the system, the user or the model",
                    "Leave it out");
          });
    }
    return messages;
  }
}
