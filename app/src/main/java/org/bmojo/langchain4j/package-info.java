/**
 * A model as LangChain4j's applications use them, without HTTP: {@link
 * org.bmojo.langchain4j.EngineChatModel}.
 */
@NullMarked
package org.bmojo.langchain4j;

import org.jspecify.annotations.NullMarked;
