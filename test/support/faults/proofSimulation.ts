import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { table, type Proved } from './proofPage.ts'

/** What one process says of its seeds of one job. */
const share = /^(.+): (\d+) seeds from \d+, (\d+) faults, [\d.]+ s$/

/** test/simulation/proof.ts with all its jobs, on all processors. */
export async function proveSimulation({ seeds }: { readonly seeds: number }): Promise<Proved> {
  const child = spawn(process.execPath, ['test/simulation/proof.ts', '--seeds', String(seeds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const parts: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    parts.push(text)
    process.stdout.write(text)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const found = parts
    .join('')
    .split('\n')
    .flatMap((line) => {
      const [, job, held, faults] = share.exec(line) ?? []
      return job === undefined ? [] : [{ job, seeds: Number(held), faults: Number(faults) }]
    })
  const jobs = [...Map.groupBy(found, ({ job }) => job)].map(([job, shares]) => ({
    job,
    seeds: shares.reduce((sum, one) => sum + one.seeds, 0),
    faults: shares.reduce((sum, one) => sum + one.faults, 0),
  }))
  const total = jobs.reduce((sum, job) => sum + job.seeds, 0)
  const wrong = code === 0 ? [] : [`The simulation ended with ${String(code)}`]
  if (code === 0 && total < seeds) wrong.push(`Only ${String(total)} of ${String(seeds)} seeds were run`)
  return {
    wrong,
    figures: [
      ...table(
        ['job', 'seeds and faults that struck'],
        jobs.map((job) => [job.job, `${String(job.seeds)} seeds, ${String(job.faults)} faults`]),
      ),
      '',
      `${String(total)} seeds, and every one of them held.`,
    ],
  }
}
