/**
 * The command line. {@code ./bmojo COMMAND} starts {@link org.bmojo.cli.Main}, which knows every
 * command; one class is one command, and {@link org.bmojo.cli.Doctor} is the shortest complete one.
 *
 * <p>What a command can rely on:
 *
 * <ul>
 *   <li>It is a {@code Callable<Integer>} that returns its exit code: 0 when it did what was asked.
 *   <li>It throws {@link org.bmojo.error.BadInput} for what the user can mend; {@link
 *       org.bmojo.cli.Failures} prints that as one line and exits with 2. Whatever else escapes
 *       exits with 1, and is called a defect unless it is the machine's doing.
 *   <li>{@link org.bmojo.cli.Answer} as a mixin gives it {@code --json}: results go to standard
 *       output, everything else to standard error.
 *   <li>{@link org.bmojo.cli.Progress} shows how far it is, once it has taken two seconds.
 *   <li>{@code -v}, {@code --stacktrace}, {@code --help} and the list of exit codes are inherited.
 * </ul>
 *
 * <p>A new command is a class with {@code @Command(name, description, footer)}, where the footer
 * shows examples, and its line in {@link org.bmojo.cli.Main}. {@code hidden = true} keeps it out of
 * the list.
 */
@NullMarked
package org.bmojo.cli;

import org.jspecify.annotations.NullMarked;
