/**
 * `npm run proof`: the long version of everything that the suites try, by parts. What holds is written into docs/proof.md with
 * its figures; when something does not, it is printed and the command ends with 1.
 *
 *     npm run proof                    all parts
 *     npm run proof -- mutations       each of test/mutations, by the suite that must see it
 *     npm run proof -- simulation      100,000 seeds (test/simulation)
 *     npm run proof -- damage          10,000 random damages of each kind of store (test/support/damage)
 *     npm run proof -- servers         the three below
 *     npm run proof -- suites          the suites that `npm test` leaves out for their length (*.long.test.ts)
 *     npm run proof -- kills           kill -9 on real Kafka and Cassandra, and Cassandra frozen for a minute
 *     npm run proof -- page            a neighbour on the machine who attacks the page of a running job
 *     npm run proof -- leaders         three brokers whose leaders move, and which are killed one after another
 *
 * Options: --seeds 100000 for the simulation; --damages 10000 for the damage; --records 100000 --kills 100 --seed 1 for the
 * servers; --rounds 5 of each attack on the page.
 */
import { parseArgs } from 'node:util'
import { proveAttacks } from '../support/faults/proofAttacks.ts'
import { proveDamage } from '../support/faults/proofDamage.ts'
import { proveMutations } from '../support/faults/proofMutations.ts'
import { writeFigures, type Proved } from '../support/faults/proofPage.ts'
import { proveKills, proveLeaders } from '../support/faults/proofServers.ts'
import { proveSimulation } from '../support/faults/proofSimulation.ts'
import { proveSuites } from '../support/faults/proofSuites.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '100000' },
    damages: { type: 'string', default: '10000' },
    records: { type: 'string', default: '100000' },
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
  },
})
const options = {
  seeds: Number(values.seeds),
  damages: Number(values.damages),
  records: Number(values.records),
  kills: Number(values.kills),
  seed: Number(values.seed),
  rounds: Number(values.rounds),
}
const parts = {
  mutations: { prove: () => proveMutations(), options: [] },
  simulation: { prove: () => proveSimulation(options), options: ['seeds'] },
  damage: { prove: () => proveDamage(options), options: ['damages', 'seed'] },
  suites: { prove: () => proveSuites(), options: [] },
  page: { prove: () => proveAttacks(options), options: ['rounds'] },
  kills: { prove: () => proveKills(options), options: ['records', 'kills', 'seed'] },
  leaders: { prove: () => proveLeaders(options), options: ['records'] },
} as const satisfies Record<string, { prove(): Proved | Promise<Proved>; options: readonly (keyof typeof values)[] }>

type Part = keyof typeof parts

for (const part of chosenParts(positionals)) {
  process.stdout.write(`${part} …\n`)
  const startedMs = performance.now()
  const { wrong, figures } = await parts[part].prove()
  if (wrong.length > 0) {
    process.exitCode = 1
    process.stderr.write(`${part} does not hold:\n${wrong.join('\n')}\n`)
    continue
  }
  const given = parts[part].options.map((name) => `--${name} ${values[name]}`).join(' ')
  writeFigures(part, `npm run proof -- ${part} ${given}`.trim(), (performance.now() - startedMs) / 1_000, figures)
}

function chosenParts(names: readonly string[]): readonly Part[] {
  if (names.length === 0) return Object.keys(parts) as Part[]
  return names.flatMap((name): readonly Part[] => {
    if (name === 'servers') return ['suites', 'kills', 'leaders']
    if (Object.hasOwn(parts, name)) return [name as Part]
    throw new Error(`There is no part ${name}; there are servers, ${Object.keys(parts).join(', ')}`)
  })
}
