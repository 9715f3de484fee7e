import { TidemarkError } from '../core/errors.ts'
import type { CommandContext } from './commandContext.ts'

/** What a command is about to delete or to give up. */
export interface Loss {
  /** What asks for it, as it is typed: `--fresh`. */
  readonly flag: string
  /** A sentence: `--fresh deletes everything in /data`. */
  readonly sentence: string
  /** What it is, each with its kind and its size: `topic orders: 400 records`. Empty: nothing is lost. */
  readonly items: readonly string[]
}

/**
 * Asks a person before something is lost, showing what it is; y or yes agrees. Only `--yes` (`ask` false) stands for an
 * answer: a flag that is in a script, or was copied from somewhere, is none.
 *
 * @throws `not-confirmed` where nobody can be asked, with what would be lost.
 */
export async function isConfirmed(
  { io, err }: Pick<CommandContext, 'io' | 'err'>,
  { flag, sentence, items }: Loss,
  ask: boolean,
): Promise<boolean> {
  if (!ask || items.length === 0) return true
  if (!io.stdinIsTerminal || io.stderr.isTTY !== true) {
    throw new TidemarkError(
      'not-confirmed',
      `${sentence}: ${items.join('; ')}. Nobody can be asked here (no terminal), so nothing was changed: add --yes to ${flag} if that is meant.`,
      { details: { flag } },
    )
  }
  await err.line(`${sentence}:`)
  for (const item of items) await err.line(`  ${item}`)
  err.text('Go on? [y/N] ')
  // A terminal hands over a line at a time.
  for await (const line of io.stdin) {
    if (/^\s*y(es)?\s*$/i.test(line.toString())) return true
    break
  }
  await err.line('Nothing was changed.')
  return false
}
