package org.bmojo.store;

/**
 * An entry that a search found.
 *
 * @param entry with the value as precisely as the store keeps it
 * @param score inner product of its key and the query
 */
public record Hit(Entry entry, float score) {}
