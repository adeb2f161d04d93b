/**
 * Weights from data: {@link org.bmojo.train.Trainer} is the loop, one screen long; {@link
 * org.bmojo.train.Optimizer} the update; {@link org.bmojo.train.Schedule} the learning rate.
 */
@NullMarked
package org.bmojo.train;

import org.jspecify.annotations.NullMarked;
