/** What POSIX counts the limit in. */
const blockBytes = 512

/**
 * A command that runs under a limit for the size of every file it writes, which needs no rights and no file system of its
 * own. What goes beyond fails as on a full disk: a part of it is written, and the rest is refused (EFBIG, as ENOSPC). The
 * process keeps its id, so that signals reach it.
 */
export function withFileLimit(
  maxFileBytes: number,
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  const limited = 'ulimit -f "$0" && exec "$@"'
  return { command: '/bin/sh', args: ['-c', limited, String(Math.ceil(maxFileBytes / blockBytes)), command, ...args] }
}

/** A command that may have so many files and sockets open. */
export function withOpenFiles(
  count: number,
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  return { command: '/bin/sh', args: ['-c', 'ulimit -n "$0" && exec "$@"', String(count), command, ...args] }
}
