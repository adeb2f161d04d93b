package org.bmojo.chat;

/**
 * A turn of a conversation.
 *
 * @param role {@code system}, {@code user} or {@code assistant}
 */
public record Message(String role, String content) {
  /** What the user says. */
  public static Message user(String content) {
    return new Message("user", content);
  }

  /** What the model said. */
  public static Message assistant(String content) {
    return new Message("assistant", content);
  }
}
