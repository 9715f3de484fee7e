import { TidemarkError, codeOf, messageOf } from './errors.ts'

/** What a system says where a process, or the machine, may have no more files and sockets open. */
export const outOfFilesWords = /EMFILE|ENFILE|too many open files/i

/**
 * The error of an open that failed because this process, or the machine, may have no more files and sockets open; null for
 * any other. LevelDB says it in words only.
 */
export function outOfFiles(error: unknown, what: string): TidemarkError | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const code = codeOf(cause)
    const isOfMachine = code === 'ENFILE' || /Too many open files in system/i.test(messageOf(cause))
    if (!isOfMachine && code !== 'EMFILE' && !/Too many open files/i.test(messageOf(cause))) continue
    const remedy = isOfMachine
      ? 'The machine has no more: end what holds them, or raise its limit (sysctl fs.file-max)'
      : 'Raise the limit of open files for this process (ulimit -n, LimitNOFILE of a service): 1024 are enough for most jobs'
    return new TidemarkError('too-many-files', `${what}: too many files and sockets are open. ${remedy}`, {
      cause: error,
    })
  }
  return null
}
