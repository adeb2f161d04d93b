@NullMarked
package org.bmojo.bench;

import org.jspecify.annotations.NullMarked;
