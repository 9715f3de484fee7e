import { TidemarkError, messageOf, type ErrorKind } from '../../core/errors.ts'
import { outOfFiles } from '../../core/outOfFiles.ts'
import { userFrame } from '../../core/userFrame.ts'

/** What the process ends with: 0 done or stopped cleanly, 1 the job failed, 2 usage or configuration, 3 unreachable. */
export type ExitCode = 0 | 1 | 2 | 3

const exitCodes: Readonly<Record<ErrorKind, ExitCode>> = {
  record: 1,
  configuration: 2,
  unreachable: 3,
  epoch: 1,
  guard: 1,
}

/** The exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof TidemarkError ? exitCodes[error.kind] : 1
}

/**
 * An error for people: the message, which says what, where and what to do; the causes; the line of the user's own code; the
 * details it does not mention; the code. The stacks only on request.
 */
export function errorText(error: unknown, withStack: boolean): string {
  const lines = [`Error: ${messageOf(error)}`]
  const causes = causesOf(error)
  for (const cause of causes) {
    const text = messageOf(cause)
    if (!lines.some((line) => line.includes(text))) lines.push(`  because: ${text}`)
  }
  // A library's error, a job's, or one of ours that only passes it on: the remedy is the same.
  const tooMany = outOfFiles(error, 'reason')
  if (tooMany !== null && !lines.some((line) => line.includes('ulimit'))) lines.push(`  ${tooMany.message}`)
  const at = [error, ...causes].map(frameOf).findLast((frame) => frame !== null)
  if (at !== undefined && !lines.some((line) => line.includes(at))) lines.push(`  at: ${at}`)
  if (error instanceof TidemarkError) {
    const details = Object.entries(error.details)
      .filter(([, value]) => value !== undefined && value !== null && !error.message.includes(String(value)))
      .map(([name, value]) => `${name} ${String(value)}`)
    if (details.length > 0) lines.push(`  where: ${details.join(', ')}`)
    lines.push(`  code: ${error.code}`)
  }
  if (withStack) lines.push(...stacksOf([error, ...causes]))
  else if (!(error instanceof TidemarkError)) lines.push('  --log.level=debug shows where in the code this came from.')
  return lines.join('\n')
}

/** Of our own errors only those of an operator's arguments come from a line of the user's; the others say all they know. */
function frameOf(error: unknown): string | null {
  const isOurs = error instanceof TidemarkError && error.code !== 'invalid-argument' && error.code !== 'invalid-plan'
  return isOurs ? null : userFrame(error)
}

/** What caused an error, the nearest first. A circle of causes ends. */
function causesOf(error: unknown): readonly unknown[] {
  const causes: unknown[] = []
  for (let cause = causeOf(error); cause !== undefined && causes.length < 5; cause = causeOf(cause)) causes.push(cause)
  return causes
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}

function stacksOf(errors: readonly unknown[]): readonly string[] {
  return errors.flatMap((error, i) =>
    error instanceof Error && error.stack !== undefined ? `${i === 0 ? '' : 'caused by '}${error.stack}` : [],
  )
}
