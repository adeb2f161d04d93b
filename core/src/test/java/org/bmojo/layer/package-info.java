@NullMarked
package org.bmojo.layer;

import org.jspecify.annotations.NullMarked;
