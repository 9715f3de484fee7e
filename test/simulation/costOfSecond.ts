import reconcile from '../../jobs/reconcile.ts'
import { simulate } from '../../src/testing/index.ts'
import { reconcileWorld } from './jobs.ts'

/** Real ms that a virtual second of the reconcile job takes, in which 1,000 records arrive; the fastest of some. */
export async function costOfSecond(): Promise<number> {
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
