@NullMarked
package org.bmojo.chat;

import org.jspecify.annotations.NullMarked;
