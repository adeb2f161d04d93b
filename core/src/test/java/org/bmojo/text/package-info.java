@NullMarked
package org.bmojo.text;

import org.jspecify.annotations.NullMarked;
