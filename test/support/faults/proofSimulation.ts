import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { costOfSecond } from '../../simulation/costOfSecond.ts'
import { simulations } from '../../simulation/jobs.ts'
import { table, type Proved } from './proofPage.ts'

/** What one process says of its seeds of one job. */
const share = /^(.+): (\d+) seeds from \d+, (\d+) faults, [\d.]+ s$/

interface Shared {
  readonly job: string
  readonly seeds: number
  readonly faults: number
}

/** So many seeds or a few more, shared out among all jobs, and among one process for each processor. */
export async function proveSimulation({ seeds }: { readonly seeds: number }): Promise<Proved> {
  const processes = availableParallelism()
  const seedsEach = Math.ceil(seeds / Object.keys(simulations).length / processes)
  const ends = await Promise.all(
    Array.from({ length: processes }, (_, index) => runSeeds(1 + index * seedsEach, seedsEach)),
  )
  const jobs = [
    ...Map.groupBy(
      ends.flatMap(({ shares }) => shares),
      ({ job }) => job,
    ),
  ].map(([job, shares]) => ({
    job,
    seeds: shares.reduce((sum, one) => sum + one.seeds, 0),
    faults: shares.reduce((sum, one) => sum + one.faults, 0),
  }))
  const total = jobs.reduce((sum, job) => sum + job.seeds, 0)
  const wrong = ends.flatMap(({ code }) => (code === 0 ? [] : [`The simulation ended with ${String(code)}`]))
  if (wrong.length === 0 && total < seeds) wrong.push(`Only ${String(total)} of ${String(seeds)} seeds were run`)
  return {
    wrong,
    figures: [
      ...table(
        ['job', 'seeds and faults that struck'],
        jobs.map((job) => [job.job, `${String(job.seeds)} seeds, ${String(job.faults)} faults`]),
      ),
      '',
      `${String(total)} seeds, and every one of them held. A simulated second of the reconcile job at 1,000 records/s takes`,
      `${(await costOfSecond()).toFixed(1)} ms.`,
    ],
  }
}

async function runSeeds(
  from: number,
  seeds: number,
): Promise<{ readonly code: number | null; readonly shares: readonly Shared[] }> {
  const args = ['test/simulation/proof.ts', '--seeds', String(seeds), '--from', String(from)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const parts: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    parts.push(text)
    process.stdout.write(text)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const shares = parts
    .join('')
    .split('\n')
    .flatMap((line): readonly Shared[] => {
      const [, job, held, faults] = share.exec(line) ?? []
      return job === undefined ? [] : [{ job, seeds: Number(held), faults: Number(faults) }]
    })
  return { code, shares }
}
