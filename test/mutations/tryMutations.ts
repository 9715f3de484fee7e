/**
 * Makes each mutation in a copy of the sources and runs the one suite that should see it. One that nobody sees ends the
 * command with 1.
 *
 *     node test/mutations/tryMutations.ts [<part of a mutation's name>]
 */
import { MutatedCopy } from './mutatedCopy.ts'
import { mutations } from './mutations.ts'

const wanted = process.argv[2] ?? ''
const copy = new MutatedCopy()
try {
  for (const mutation of mutations) {
    if (!mutation.name.includes(wanted)) continue
    const { caught, said } = copy.try(mutation)
    process.stdout.write(`${caught ? 'caught  ' : 'SURVIVED'} ${mutation.name} (${mutation.caughtBy})\n`)
    if (caught) continue
    process.exitCode = 1
    process.stdout.write(`${said}\n`)
  }
} finally {
  copy.close()
}
