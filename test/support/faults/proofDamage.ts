import { availableParallelism } from 'node:os'
import { runTrials, sumOf, trialPrograms, type TrialReport, type TrialStore } from '../damage/runTrials.ts'
import { table, type Proved } from './proofPage.ts'

/** So many random damages of each kind of store, shared out among one process for each processor. */
export async function proveDamage({
  damages,
  seed,
}: {
  readonly damages: number
  readonly seed: number
}): Promise<Proved> {
  const wrong: string[] = []
  const rows: (readonly [string, string])[] = []
  for (const store of Object.keys(trialPrograms) as TrialStore[]) {
    const processes = availableParallelism()
    const each = Math.ceil(damages / processes)
    const reports = await Promise.all(
      Array.from({ length: processes }, (_, index) => runTrials(store, each, seed + index)),
    )
    wrong.push(...reports.flatMap((report) => report.wrong.map((what) => `${store}: ${what}`)))
    const tried = reports.reduce((sum, report) => sum + sumOf(report).all, 0)
    if (tried < damages) wrong.push(`${store}: only ${String(tried)} of ${String(damages)} damages were tried`)
    for (const kind of new Set(reports.flatMap(({ outcomes }) => Object.keys(outcomes)))) {
      rows.push([`${store}, ${kind}`, outcomesOf(reports, kind)])
    }
  }
  return { wrong, figures: table(['store and damage', 'what came of it'], rows) }
}

function outcomesOf(reports: readonly TrialReport[], kind: string): string {
  const sum = new Map<string, number>()
  for (const { outcomes } of reports) {
    for (const [outcome, count] of Object.entries(outcomes[kind] ?? {}))
      sum.set(outcome, (sum.get(outcome) ?? 0) + count)
  }
  return [...sum].map(([outcome, count]) => `${outcome} ${String(count)}`).join(', ')
}
