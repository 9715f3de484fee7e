/**
 * `npm run proof -- simulation`: every job of the framework's own suite under 100,000 seeds, shared out among them, and among the
 * machine's processors. The first failure is printed with its seed, its smallest history and its timeline.
 *
 *     node test/simulation/proof.ts [--seeds <all together>] [--from <first seed>] [--job <name>]
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import reconcile from '../../jobs/reconcile.ts'
import { simulate } from '../../src/testing/index.ts'
import { reconcileWorld, simulations } from './jobs.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100000' },
    from: { type: 'string', default: '1' },
    job: { type: 'string' },
    /** Set by this script itself: run here, in this process. */
    here: { type: 'boolean', default: false },
  },
})
const names = values.job === undefined ? Object.keys(simulations) : [values.job]
/** Seeds in parts, so that something is to be seen while it runs. */
const partSize = 1_000
const seedsEach = Math.ceil(Number(values.seeds) / names.length)

if (values.here) await prove(names, Number(values.from), seedsEach)
else process.exitCode = await proveInParallel()

async function prove(jobs: readonly string[], from: number, count: number): Promise<void> {
  for (const job of jobs) {
    const simulation = simulations[job]
    if (simulation === undefined)
      throw new Error(`There is no job ${job}; there are: ${Object.keys(simulations).join(', ')}`)
    const started = performance.now()
    let faults = 0
    for (let done = 0; done < count; done += partSize) {
      const repeat = `node test/simulation/proof.ts --here --seeds 1 --job ${JSON.stringify(job)}`
      const report = await simulation({ seeds: { from: from + done, count: Math.min(partSize, count - done) }, repeat })
      for (const struck of report.faults.values()) faults += struck
    }
    const seconds = (performance.now() - started) / 1_000
    print(`${job}: ${String(count)} seeds from ${String(from)}, ${String(faults)} faults, ${seconds.toFixed(1)} s`)
  }
}

/** One process per processor, each with seeds of its own. */
async function proveInParallel(): Promise<number> {
  const processes = availableParallelism()
  const share = Math.ceil(seedsEach / processes)
  const started = performance.now()
  const codes = await Promise.all(
    Array.from({ length: processes }, (_, index) => {
      const from = Number(values.from) + index * share
      const seeds = String(share * names.length)
      const job = values.job === undefined ? [] : ['--job', values.job]
      const args = [import.meta.filename, '--here', '--seeds', seeds, '--from', String(from), ...job]
      return new Promise<number>((resolve) => {
        spawn(process.execPath, args, { stdio: 'inherit' }).on('exit', (code) => {
          resolve(code ?? 1)
        })
      })
    }),
  )
  print(`A second of the reconcile job at 1,000 records a second costs ${(await costOfSecond()).toFixed(1)} ms.`)
  const failed = codes.some((code) => code !== 0)
  const seconds = ((performance.now() - started) / 1_000).toFixed(0)
  print(
    failed
      ? `Failed after ${seconds} s; see above.`
      : `${String(share * processes * names.length)} seeds held in ${seconds} s.`,
  )
  return failed ? 1 : 0
}

/** Real ms that a virtual second of the reconcile job takes, in which 1,000 records arrive; the fastest of some. */
async function costOfSecond(): Promise<number> {
  const seconds = 4
  const { items, rows } = reconcileWorld(500)
  const topics = { 'input-topic': Array.from({ length: 2 * seconds }, () => items).flat() }
  const options = { topics, tables: rows, processes: [1], epochLengths: [200], maxFaults: 0 }
  const timed = async (seeds: number): Promise<number> => {
    const started = performance.now()
    await simulate(reconcile, { ...options, seeds })
    return performance.now() - started
  }
  await timed(1)
  const costs: number[] = []
  // What one seed more costs: without the runs that each call begins with.
  for (let round = 0; round < 5; round += 1) costs.push(((await timed(4)) - (await timed(1))) / 3 / seconds)
  return Math.min(...costs)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
