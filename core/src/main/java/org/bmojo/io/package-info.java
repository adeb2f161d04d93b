/**
 * Files that are either whole or absent, and the one way of reading JSON.
 *
 * <p>{@link org.bmojo.io.AtomicFile} and {@link org.bmojo.io.AtomicFolder} write to a hidden
 * sibling of the target, force it to the disk and rename it; a crash at any moment leaves what was
 * there before. {@link org.bmojo.io.FileTrouble} turns what the operating system refuses into a
 * message with a cure.
 */
@NullMarked
package org.bmojo.io;

import org.jspecify.annotations.NullMarked;
