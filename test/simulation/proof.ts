/**
 * The framework's own jobs under many seeds, in one process; `npm run proof -- simulation` runs one for each processor. A failure
 * ends it with its seed, its smallest history and its timeline.
 *
 *     node test/simulation/proof.ts [--seeds <of each job>] [--from <first seed>] [--job <name>]
 */
import { parseArgs } from 'node:util'
import { simulations } from './jobs.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    job: { type: 'string' },
  },
})
const from = Number(values.from)
const seeds = Number(values.seeds)
/** Seeds in parts, so that something is to be seen while it runs. */
const partSize = 1_000

for (const job of values.job === undefined ? Object.keys(simulations) : [values.job]) {
  const simulation = simulations[job]
  if (simulation === undefined)
    throw new Error(`There is no job ${job}; there are: ${Object.keys(simulations).join(', ')}`)
  const started = performance.now()
  const repeat = `node test/simulation/proof.ts --seeds 1 --job ${JSON.stringify(job)}`
  let faults = 0
  for (let done = 0; done < seeds; done += partSize) {
    const report = await simulation({ seeds: { from: from + done, count: Math.min(partSize, seeds - done) }, repeat })
    for (const struck of report.faults.values()) faults += struck
  }
  const seconds = (performance.now() - started) / 1_000
  process.stdout.write(
    `${job}: ${String(seeds)} seeds from ${String(from)}, ${String(faults)} faults, ${seconds.toFixed(1)} s\n`,
  )
}
