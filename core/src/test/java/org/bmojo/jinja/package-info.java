@NullMarked
package org.bmojo.jinja;

import org.jspecify.annotations.NullMarked;
