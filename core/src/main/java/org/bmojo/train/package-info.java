/**
 * Weights from data: {@link org.bmojo.train.Trainer} is the loop, one screen long; {@link
 * org.bmojo.train.Optimizer} the update; {@link org.bmojo.train.Schedule} the learning rate; {@link
 * org.bmojo.train.Guard} says which updates are not applied; {@link org.bmojo.train.RateFinder}
 * tries rates. {@code RecordedUpdate} is an update that a GPU runs from one call.
 */
@NullMarked
package org.bmojo.train;

import org.jspecify.annotations.NullMarked;
