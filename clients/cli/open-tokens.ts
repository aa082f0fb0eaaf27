import type { Token } from '@concordat/pkcs11';

/** A token serves a whole command: its PIN is asked for once, and it is closed when the command ends. */
const opened = new WeakMap<object, Token>();

/** A command's run, known by its options. */
interface Run {
  readonly options: object;
}

/** The token a command has opened. */
export const openedToken = ({ options }: Run): Token | undefined => opened.get(options);

/** Has a token closed when its command ends. */
export function keepToken({ options }: Run, token: Token): void {
  opened.set(options, token);
}

/** Lets go of the token a command used, if it used one. */
export function closeToken({ options }: Run): void {
  opened.get(options)?.close();
  opened.delete(options);
}
