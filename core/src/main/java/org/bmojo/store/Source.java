package org.bmojo.store;

import org.jspecify.annotations.Nullable;

/**
 * Where an entry came from.
 *
 * @param session the conversation or reading that produced it
 * @param storedAt when, in milliseconds since 1970; decides when it expires
 * @param span the text behind it; null for tokens that no document contains
 */
public record Source(String session, long storedAt, @Nullable TextSpan span) {}
