package org.bmojo.server;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.bmojo.chat.Message;
import org.bmojo.generate.Decoding;
import org.bmojo.serve.Request;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * What a client asks a model for, out of the body of a request for a completion.
 *
 * @param model by name, or null for the one there is
 * @param prompt text, or ids, or null in a chat
 * @param messages empty unless it is a chat
 * @param tokens at most, or −1 for as many as fit
 * @param alternatives of each token, −1 for no log-probabilities
 * @param stops strings that end the answer
 * @param endless whether an end id is a token like others
 * @param usage whether a stream ends with the count of tokens
 * @param session to go on from
 * @param save name under which to keep what is remembered afterwards
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Ask(
    @Nullable String model,
    @Nullable String prompt,
    int @Nullable [] ids,
    List<Message> messages,
    int tokens,
    Decoding decoding,
    int alternatives,
    List<String> stops,
    boolean endless,
    boolean stream,
    boolean usage,
    @Nullable String session,
    @Nullable String save) {
  private static final int STOPS = 16;
  private static final int STANDARD_TOKENS = 16; // OpenAI's, of completions

  boolean isChat() {
    return !messages.isEmpty();
  }

  /** Of {@code POST /v1/completions}. */
  static Ask completion(JsonNode body) {
    Fields f = new Fields(body, "");
    JsonNode prompt = f.node("prompt");
    int[] ids = null;
    String text = "";
    if (prompt != null && prompt.isArray() && prompt.size() == 1 && !prompt.get(0).isNumber()) {
      prompt = prompt.get(0); // a batch of one
    }
    if (prompt != null && prompt.isArray()) {
      ids = ids(prompt);
    } else if (prompt != null && prompt.isString()) {
      text = prompt.stringValue();
    } else if (prompt != null) {
      throw ApiError.field("prompt", prompt.getNodeType().name(), "a string or an array of ids");
    }
    int tokens = f.whole("max_tokens", STANDARD_TOKENS, 0, Integer.MAX_VALUE);
    int alternatives = f.whole("logprobs", -1, 0, Request.MOST_ALTERNATIVES);
    f.only("echo", "false");
    f.only("best_of", "1");
    f.only("suffix", "\"\"");
    return rest(f, text, ids, List.of(), tokens, alternatives);
  }

  private static int[] ids(JsonNode prompt) {
    int[] ids = new int[prompt.size()];
    for (int i = 0; i < ids.length; i++) {
      JsonNode id = prompt.get(i);
      if (!id.isIntegralNumber() || !id.canConvertToInt()) {
        throw ApiError.field(
            "prompt[" + i + "]", id.toString(), "an id; several prompts are several requests");
      }
      ids[i] = id.intValue();
    }
    return ids;
  }

  /** Of {@code POST /v1/chat/completions}. */
  static Ask chat(JsonNode body) {
    Fields f = new Fields(body, "");
    JsonNode list = f.node("messages");
    if (list == null || !list.isArray() || list.isEmpty()) {
      throw ApiError.field("messages", String.valueOf(list), "an array of at least one message");
    }
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < list.size(); i++) messages.add(message(list.get(i), i));
    int old = f.whole("max_tokens", -1, 0, Integer.MAX_VALUE);
    int tokens = f.whole("max_completion_tokens", old, 0, Integer.MAX_VALUE);
    boolean scored = f.flag("logprobs");
    int alternatives = f.whole("top_logprobs", 0, 0, Request.MOST_ALTERNATIVES);
    f.only("response_format", "{\"type\":\"text\"}");
    f.only("tools", "[]");
    f.only("tool_choice", "\"none\"", "\"auto\"");
    f.only("functions", "[]");
    f.only("modalities", "[\"text\"]");
    f.ignore("store", "metadata", "service_tier", "parallel_tool_calls");
    return rest(f, null, null, messages, tokens, scored ? alternatives : -1);
  }

  private static Message message(JsonNode node, int index) {
    String where = "messages[" + index + "].";
    if (!node.isObject()) {
      throw ApiError.field("messages[" + index + "]", node.toString(), "an object");
    }
    Fields f = new Fields(node, where);
    String role = f.text("role");
    if (role == null || !List.of("system", "developer", "user", "assistant").contains(role)) {
      throw ApiError.field(
          where + "role", String.valueOf(role), "system, developer, user or assistant");
    }
    String content = content(f.node("content"), where + "content");
    f.ignore("name");
    f.only("tool_calls", "[]");
    f.only("refusal");
    f.end();
    return new Message(role.equals("developer") ? "system" : role, content);
  }

  private static String content(@Nullable JsonNode node, String where) {
    if (node != null && node.isString()) return node.stringValue();
    if (node == null || !node.isArray()) {
      throw ApiError.field(where, String.valueOf(node), "a string or an array of text parts");
    }
    StringBuilder text = new StringBuilder();
    for (JsonNode part : node) {
      if (!part.path("type").asString("").equals("text") || !part.path("text").isString()) {
        throw ApiError.field(where, "a part that is no text", "{\"type\": \"text\", \"text\": …}");
      }
      text.append(part.path("text").stringValue());
    }
    return text.toString();
  }

  private static Ask rest(
      Fields f,
      @Nullable String prompt,
      int @Nullable [] ids,
      List<Message> messages,
      int tokens,
      int alternatives) {
    long seed =
        f.whole("seed", ThreadLocalRandom.current().nextLong(), Long.MIN_VALUE, Long.MAX_VALUE);
    Decoding decoding =
        new Decoding(
            f.number("temperature", 1),
            f.whole("top_k", 0, 0, Integer.MAX_VALUE),
            f.number("top_p", 1),
            f.number("min_p", 0),
            f.number("repetition_penalty", 1),
            f.number("presence_penalty", 0),
            f.number("frequency_penalty", 0),
            seed);
    List<String> stops = f.texts("stop", STOPS);
    f.only("n", "1");
    f.only("logit_bias", "{}");
    f.ignore("user");
    boolean stream = f.flag("stream");
    boolean usage = false;
    JsonNode options = f.node("stream_options");
    if (options != null) {
      if (!options.isObject()) throw ApiError.field("stream_options", options.toString(), "{…}");
      Fields o = new Fields(options, "stream_options.");
      usage = o.flag("include_usage");
      o.ignore("include_obfuscation");
      o.end();
    }
    Ask ask =
        new Ask(
            f.text("model"),
            prompt,
            ids,
            messages,
            tokens,
            decoding,
            alternatives,
            stops,
            f.flag("ignore_eos"),
            stream,
            usage,
            f.text("session"),
            f.text("save_session"));
    f.end();
    return ask;
  }
}
