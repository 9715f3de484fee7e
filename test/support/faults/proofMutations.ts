import { MutatedCopy } from '../../mutations/mutatedCopy.ts'
import { mutations } from '../../mutations/mutations.ts'
import { table, type Proved } from './proofPage.ts'

/** Makes each mutation in a copy of the sources and runs the one suite that must see it. */
export function proveMutations(): Proved {
  const copy = new MutatedCopy()
  const wrong: string[] = []
  try {
    for (const mutation of mutations) {
      const { caught, said } = copy.try(mutation)
      process.stdout.write(`${caught ? 'caught  ' : 'SURVIVED'} ${mutation.name} (${mutation.caughtBy})\n`)
      if (!caught) wrong.push(`${mutation.caughtBy} does not see it: ${mutation.name}\n${said}`)
    }
  } finally {
    copy.close()
  }
  return {
    wrong,
    figures: [
      ...table(
        ['change of the sources', 'seen by'],
        mutations.map(({ name, caughtBy }) => [name, `\`${caughtBy}\``]),
      ),
      '',
      `${String(mutations.length)} changes, and each of them was seen.`,
    ],
  }
}
