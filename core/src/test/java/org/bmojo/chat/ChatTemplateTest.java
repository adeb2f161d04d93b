package org.bmojo.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bmojo.error.BadInput;
import org.bmojo.io.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Templates in the manner of the usual families of models. */
class ChatTemplateTest {
  private static final String CHAT_ML =
      """
      {% for message in messages %}
      {% if loop.first and message['role'] != 'system' %}
      {{ '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}
      {%- endif %}
      {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
      {%- endfor %}
      {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
      """;

  private static final String STRICT =
      """
      {{- bos_token -}}
      {%- for message in messages -%}
      {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
      {{- raise_exception('Roles must alternate.') -}}
      {%- endif -%}
      {%- if message['role'] == 'user' -%}
      {{- ' [INST] ' + message['content'] + ' [/INST]' -}}
      {%- else -%}
      {{- ' ' + message['content'] + eos_token -}}
      {%- endif -%}
      {%- endfor -%}
      """;

  @TempDir Path folder;

  @Test
  void chatMl() {
    ChatTemplate template = ChatTemplate.of(CHAT_ML, Map.of());
    assertThat(template.render(List.of(Message.user("Hi")), false))
        .isEqualTo(
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
                + "<|im_start|>assistant\n");
  }

  @Test
  void aStrictTemplateRefusesInItsWords() {
    ChatTemplate template =
        ChatTemplate.of(STRICT, Map.of("bos_token", "<s>", "eos_token", "</s>"));
    List<Message> talk = List.of(Message.user("A"), Message.assistant("B"), Message.user("C"));
    assertThat(template.render(talk, false))
        .isEqualTo("<s> [INST] A [/INST] B</s> [INST] C [/INST]");
    assertThat(template.render(talk.subList(2, 3), true)).isEqualTo(" [INST] C [/INST]");
    assertThatThrownBy(() -> template.render(talk.subList(1, 3), false))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("Roles must alternate");
  }

  @Test
  void theModelsFolderSays() throws IOException {
    assertThat(ChatTemplate.read(folder).isOwn()).isFalse();
    Path config = folder.resolve("tokenizer_config.json");
    var tokens = Map.of("bos_token", Map.of("content", "<s>"), "chat_template", "{{ bos_token }}1");
    Files.write(config, Json.bytes(tokens));
    assertThat(ChatTemplate.read(folder).render(List.of(Message.user("")), false))
        .isEqualTo("<s>1");
    var several =
        List.of(
            Map.of("name", "tool_use", "template", "t"),
            Map.of("name", "default", "template", "d"));
    Files.write(config, Json.bytes(Map.of("chat_template", several)));
    assertThat(ChatTemplate.read(folder).render(List.of(Message.user("")), false)).isEqualTo("d");
    Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages[0].content }}!");
    assertThat(ChatTemplate.read(folder).render(List.of(Message.user("x")), false)).isEqualTo("x!");
    Files.writeString(folder.resolve("chat_template.jinja"), "{% if %}");
    assertThatThrownBy(() -> ChatTemplate.read(folder))
        .isInstanceOf(BadInput.class)
        .hasMessageContaining("cannot be read");
  }

  @Test
  void withoutATemplateTurnsHaveLines() {
    List<Message> talk = List.of(new Message("system", "Be kind."), Message.user("Hi"));
    assertThat(ChatTemplate.plain().render(talk, false))
        .isEqualTo("Be kind.\nUser: Hi\nAssistant:");
    assertThat(ChatTemplate.plain().stops()).containsExactly("\nUser:");
    assertThatThrownBy(() -> ChatTemplate.plain().render(List.of(), false))
        .isInstanceOf(BadInput.class);
  }
}
