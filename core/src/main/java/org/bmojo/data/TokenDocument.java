package org.bmojo.data;

/**
 * A document as tokens.
 *
 * @param tokens ids; the last ends the document
 * @param textBytes length of its text in UTF-8
 */
@SuppressWarnings("ArrayRecordComponent") // handed on, never compared
public record TokenDocument(int[] tokens, long textBytes) {}
