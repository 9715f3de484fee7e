import { TidemarkError, type ErrorDetails, codeOf } from './errors.ts'
import { outOfFiles } from './outOfFiles.ts'

/** Endings of the files that settings name. */
const fileEnding = /\.(?:pem|crt|cer|der|key|p12|pfx|jks|keystore|truststore|json|properties|conf|txt)$/i

/**
 * A path from a setting as an error may quote it: one that ends as such files do. Anything else may be what should have been in
 * the file, a key or a password, and is not quoted.
 */
export function shownPath(path: string): string {
  const isPath = fileEnding.test(path) && path.length <= 300 && !/[\n@]|-----/.test(path)
  return isPath ? path : 'something'
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EISDIR: 'it is a directory',
  ELOOP: 'its links go in a circle',
  ENAMETOOLONG: 'it is no path',
  ERR_INVALID_ARG_VALUE: 'it is no path',
}

/** Why a file cannot be read; Node's own message quotes the path. */
function fileReason(error: unknown): string {
  const code = codeOf(error)
  return typeof code === 'string' ? (reasons[code] ?? code) : 'it cannot be opened'
}

/** Why a file of settings cannot be read, without its cause, whose message has the whole path. */
export function unreadableSettings(what: string, error: unknown, details: ErrorDetails): TidemarkError {
  const tooMany = outOfFiles(error, `${what} cannot be read`)
  if (tooMany !== null) return new TidemarkError(tooMany.code, tooMany.message, { details })
  return new TidemarkError('invalid-setting', `${what} cannot be read: ${fileReason(error)}.`, { details })
}

/** The same for a file that a setting names. `example`: a value the setting can have. */
export function unreadableFile(
  setting: string,
  path: string,
  { error, example }: { readonly error: unknown; readonly example: string },
): TidemarkError {
  const { code, message } = unreadableSettings(`${setting} names ${shownPath(path)}, which`, error, {})
  const hint = code === 'invalid-setting' ? ` Example: ${setting}=${example}` : ''
  return new TidemarkError(code, `${message}${hint}`, { details: { setting } })
}
