package org.bmojo.kernels.token;

/** Where the token stands that a program is run for. */
public final class Moment {
  /** Tokens before it. */
  public long position;
}
