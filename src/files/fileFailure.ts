import { TidemarkError, messageOf, type ErrorDetails, codeOf } from '../core/errors.ts'
import { outOfFiles } from '../core/outOfFiles.ts'

/** What a file system says when there is no room, or when the disk itself fails. */
const diskCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'])
const diskWords = /No space left on device|Disk quota exceeded|File too large|Input\/output error/i

/**
 * What failed with a file or a directory, named for what it is: no more files may be open, the disk is full, or the place
 * cannot be used, which is the only one of them that another place helps against.
 */
export function fileFailure(error: unknown, what: string, details: ErrorDetails): TidemarkError {
  if (error instanceof TidemarkError) return error
  const tooMany = outOfFiles(error, what)
  if (tooMany !== null) return tooMany
  const options = { cause: error, details }
  const said = `${what}: ${reasonOf(error)}`
  if (isDiskFailure(error)) {
    return new TidemarkError('disk-failed', `${said}. Is the disk full? Make room and start again`, options)
  }
  return new TidemarkError('invalid-setting', `${said}. Set data.dir to a directory that this user can write`, options)
}

export function isDiskFailure(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (diskCodes.has(codeOf(cause))) return true
    if (diskWords.test(messageOf(cause))) return true
  }
  return false
}

/** LevelDB gives its own reason as the cause. */
function reasonOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)
}
