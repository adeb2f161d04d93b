package org.bmojo.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionCreateParams;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Programs that were written for OpenAI's own server. */
@Timeout(60)
class ClientsTest {
  private static final String KEY = "a-key-of-some-length";

  @TempDir Path folder;
  private Served served;

  @BeforeEach
  void start() {
    served =
        new Served(ServerSettings.local(0, "tiny", folder).withKeys(List.of(KEY)), Served.LIMITS);
  }

  @AfterEach
  void end() {
    served.close();
  }

  private OpenAIClient openAi(String key) {
    return OpenAIOkHttpClient.builder()
        .baseUrl(served.uri("/v1").toString())
        .apiKey(key)
        .maxRetries(0)
        .build();
  }

  @Test
  @SuppressWarnings("deprecation") // of seed, which OpenAI gives up and we keep
  void openAisOwnClient() {
    OpenAIClient client = openAi(KEY);
    try {
      assertThat(client.models().list().data().getFirst().id()).isEqualTo("tiny");
      var params =
          ChatCompletionCreateParams.builder()
              .model("tiny")
              .addSystemMessage("Be kind.")
              .addUserMessage("Hi")
              .maxCompletionTokens(16)
              .seed(3)
              .build();
      ChatCompletion whole = client.chat().completions().create(params);
      String text = whole.choices().getFirst().message().content().orElse("");
      assertThat(whole.usage().orElseThrow().completionTokens()).isPositive();
      try (var stream = client.chat().completions().createStreaming(params)) {
        String streamed =
            stream.stream()
                .flatMap((ChatCompletionChunk c) -> c.choices().stream())
                .map(c -> c.delta().content().orElse(""))
                .collect(Collectors.joining());
        assertThat(streamed.strip()).isEqualTo(text);
      }
      Completion completion =
          client
              .completions()
              .create(
                  CompletionCreateParams.builder()
                      .model("tiny")
                      .prompt("Once")
                      .maxTokens(5)
                      .logprobs(2)
                      .build());
      assertThat(completion.choices().getFirst().logprobs().orElseThrow().tokens().orElseThrow())
          .isNotEmpty();
      assertThatThrownBy(() -> client.models().retrieve("gpt"))
          .isInstanceOf(NotFoundException.class);
      assertThatThrownBy(() ->
              client.chat().completions().create(params.toBuilder().temperature(-1.0).build()))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("temperature");
    } finally {
      client.close();
    }
    OpenAIClient stranger = openAi("another-key-entirely");
    try {
      assertThatThrownBy(() -> stranger.models().list()).isInstanceOf(UnauthorizedException.class);
    } finally {
      stranger.close();
    }
  }

  @Test
  void langChain4j() throws Exception {
    String url = served.uri("/v1").toString();
    var model =
        OpenAiChatModel.builder()
            .baseUrl(url)
            .apiKey(KEY)
            .modelName("tiny")
            .maxTokens(16)
            .seed(3)
            .build();
    String whole = model.chat("Hi");
    var streaming =
        OpenAiStreamingChatModel.builder()
            .baseUrl(url)
            .apiKey(KEY)
            .modelName("tiny")
            .maxTokens(16)
            .seed(3)
            .build();
    StringBuilder streamed = new StringBuilder();
    CompletableFuture<ChatResponse> done = new CompletableFuture<>();
    streaming.chat(
        "Hi",
        new StreamingChatResponseHandler() {
          @Override
          public void onPartialResponse(String piece) {
            streamed.append(piece);
          }

          @Override
          public void onCompleteResponse(ChatResponse response) {
            done.complete(response);
          }

          @Override
          public void onError(Throwable error) {
            done.completeExceptionally(error);
          }
        });
    assertThat(done.get().aiMessage().text().strip()).isEqualTo(whole.strip());
    assertThat(streamed.toString().strip()).isEqualTo(whole.strip());
  }
}
