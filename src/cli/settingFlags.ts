import { TidemarkError } from '../core/errors.ts'

/** The command line in two parts: settings by key, and everything else in its order. */
export interface SplitArguments {
  readonly settings: ReadonlyMap<string, string>
  readonly rest: readonly string[]
}

/**
 * Takes `--<key>=<value>` and `--<key> <value>` out of the arguments. Every setting has a dot in its key and no option has,
 * so the two are told apart before the job, and with it the job's keys, is known. After `--` nothing is taken.
 *
 * Throws `invalid-setting` for a key without a value or with two.
 */
export function splitSettingFlags(args: readonly string[]): SplitArguments {
  const settings = new Map<string, string>()
  const rest: string[] = []
  let i = 0
  while (i < args.length) {
    const word = args[i] ?? ''
    i += 1
    if (word === '--') {
      rest.push(word, ...args.slice(i))
      break
    }
    const [, key, , joined] = /^--([^=\s]*\.[^=\s]*)(=([\s\S]*))?$/.exec(word) ?? []
    if (key === undefined) {
      rest.push(word)
      continue
    }
    let value = joined
    if (value === undefined) {
      value = args[i]
      i += 1
    }
    if (value === undefined || (joined === undefined && value.startsWith('--'))) {
      throw new TidemarkError('invalid-setting', `--${key} needs a value: --${key}=<value>.`, {
        details: { setting: key },
      })
    }
    if (settings.has(key)) {
      throw new TidemarkError('invalid-setting', `--${key} is given twice.`, { details: { setting: key } })
    }
    settings.set(key, value)
  }
  return { settings, rest }
}
