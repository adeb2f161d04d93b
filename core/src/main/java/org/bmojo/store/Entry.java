package org.bmojo.store;

/**
 * What one key/value head of one layer made of one token. The arrays belong to the entry: whoever
 * passes them in no longer writes to them.
 *
 * @param layer from 0
 * @param head key/value head, from 0
 * @param key (D), before rotation
 * @param value (D)
 * @param position of the token in its session, from 0
 * @param innovation how badly it was predicted
 * @param source where it came from
 */
@SuppressWarnings("ArrayRecordComponent") // Entries are carried, never compared.
public record Entry(
    int layer,
    int head,
    float[] key,
    float[] value,
    long position,
    float innovation,
    Source source) {}
