@NullMarked
package org.bmojo.data;

import org.jspecify.annotations.NullMarked;
