package org.bmojo.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import java.util.Objects;
import org.bmojo.chat.ChatTemplate;
import org.bmojo.error.BadInput;
import org.bmojo.model.LanguageModel;
import org.bmojo.model.SmallPresets;
import org.bmojo.serve.Engine;
import org.bmojo.serve.EngineSettings;
import org.bmojo.serve.Generation;
import org.bmojo.serve.Memory;
import org.bmojo.serve.Request;
import org.bmojo.serve.TextEngine;
import org.bmojo.text.ByteTokenizer;
import org.junit.jupiter.api.Test;

class EngineChatModelTest {
  @Test
  void answersWithinTheProcess() throws Exception {
    try (LanguageModel model = LanguageModel.create(SmallPresets.named("bmojo-tiny", 257), 1);
        Engine engine = new Engine(model, EngineSettings.standard())) {
      TextEngine text = new TextEngine(engine, new ByteTokenizer());
      EngineChatModel chat = new EngineChatModel(text, ChatTemplate.plain(), 3);
      ChatRequest request =
          ChatRequest.builder()
              .messages(
                  SystemMessage.from("Be kind."),
                  UserMessage.from("Hi"),
                  AiMessage.from("Hello."),
                  UserMessage.from("And?"))
              .maxOutputTokens(12)
              .temperature(0.9)
              .build();
      ChatResponse answer = chat.chat(request);
      assertThat(answer.tokenUsage().outputTokenCount()).isBetween(1, 12);
      assertThat(answer.finishReason()).isIn(FinishReason.LENGTH, FinishReason.STOP);
      assertThat(chat.chat(request).aiMessage()).isEqualTo(answer.aiMessage());
      Request document = Request.remember(new ByteTokenizer().encode("A long document."));
      try (Generation read = engine.submit(document);
          Memory memory = Objects.requireNonNull(read.await().memory()).share()) {
        var after = new EngineChatModel(text, ChatTemplate.plain(), 3, memory);
        assertThat(after.chat(request).aiMessage()).isNotEqualTo(answer.aiMessage());
      }
      var image = UserMessage.from(ImageContent.from("data:image/png;base64,AA=="));
      assertThatThrownBy(() -> chat.chat(image)).isInstanceOf(BadInput.class);
    }
  }
}
