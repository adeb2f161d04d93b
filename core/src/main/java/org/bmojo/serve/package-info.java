/**
 * Many conversations with one model at once.
 *
 * <pre>
 *   Request ─▶ Desk (a line of bounded length) ─▶ slot ─▶ PromptReader ─▶ AnsweringBatch ─▶ Generation
 *                                                          a chunk of       one step of        tokens,
 *                                                          one prompt  ⇄    all rows           an ending
 * </pre>
 *
 * Start at {@link org.bmojo.serve.Engine}: one thread, which owns all native memory, alternates
 * between a chunk of a prompt and a step of everyone who is answering. Askers wait on their own
 * (virtual) threads, each reading its {@link org.bmojo.serve.Generation}. {@link
 * org.bmojo.serve.TextEngine} is the same with text at both ends, and stop strings.
 *
 * <p>A {@link org.bmojo.serve.Memory} is what a model remembers of one sequence, as a value that
 * any number of requests may go on from; {@link org.bmojo.serve.MemoryFile} keeps one in a file.
 *
 * <p>A {@link org.bmojo.serve.Library} is what the model has read in all its sessions, in a store:
 * a request with a {@link org.bmojo.serve.Recollection} recalls from it, and says afterwards what
 * came back.
 *
 * <p><b>Why one state of many rows, and not many states.</b> Gathering the states of B sequences
 * into a batch and scattering them again would copy every state twice in every step. As rows of one
 * state they stay where they are; joining and leaving copies them once, at most twice an answer.
 */
@NullMarked
package org.bmojo.serve;

import org.jspecify.annotations.NullMarked;
