/**
 * Conversations → prompts: {@link org.bmojo.chat.ChatTemplate} writes messages as the text that a
 * model was trained to read, by the Jinja template in its {@code tokenizer_config.json} ({@link
 * org.bmojo.jinja}), or in plain words where there is none.
 */
@NullMarked
package org.bmojo.chat;

import org.jspecify.annotations.NullMarked;
