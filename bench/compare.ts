/*
 * `npm run bench:compare -- <commit>`: this tree against an earlier commit, by turns, so that what else the machine does
 * meets both. Prints each figure of both (medians), the ratio pair by pair with its interval, and the ratio of the lowest of
 * both, which is what is left where nothing else was in the way. Nothing is asserted. What runs on servers needs Linux and
 * Java 17.
 *
 *   node bench/compare.ts 10bdeee [--pairs 10] [--records 200000] [--only embedded|single|grouped]
 */
import { execFile } from 'node:child_process'
import { loadavg } from 'node:os'
import path from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { earlierVersion } from '../test/support/earlierVersion.ts'
import { withBenchWorld } from './e2e/benchWorld.ts'
import { missesIn } from './e2e/reconcileLoad.ts'
import { measureThroughput } from './e2e/throughput.ts'
import { ratioInterval } from './ratioInterval.ts'

type Version = 'before' | 'now'
/** µs by what they are spent on, and counts that explain them. */
type Figures = ReadonlyMap<string, number>

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '10' },
    records: { type: 'string', default: '200000' },
    only: { type: 'string' },
  },
})
const pairs = Number(values.pairs)
const records = Number(values.records)
const [commit] = positionals
if (commit === undefined) throw new Error('Which commit is it to be compared with? npm run bench:compare -- <commit>')

const earlier = earlierVersion(commit)
const checkouts: Readonly<Record<Version, string>> = {
  before: earlier.checkout,
  now: path.resolve(import.meta.dirname, '..'),
}
try {
  console.log(`Now against ${commit}, ${String(pairs)} pairs by turns, load ${loadavg()[0]?.toFixed(1) ?? '?'}`)
  if (values.only === undefined || values.only === 'embedded') {
    await compare(`npm run bench -- ${String(records)}`, (version) => withoutServers(checkouts[version]))
  }
  const onServers = (['single', 'grouped'] as const).filter((kind) => values.only === undefined || values.only === kind)
  if (onServers.length > 0) {
    await withBenchWorld({ records, more: {} }, async (world) => {
      for (const kind of onServers) {
        let run = 0
        await compare(`npm run bench:e2e -- --only ${kind} --records ${String(records)}`, async (version) => {
          run += 1
          const { cpuMicros, requestKeys, result } = await measureThroughput(world, {
            name: `${kind}-${String(run)}`,
            flags: { 'reconcile.lookup.batch': kind === 'single' ? 'off' : 'auto' },
            expected: { records, misses: missesIn(records) },
            checkout: checkouts[version],
          })
          return new Map([
            ...Object.entries(cpuMicros).map(([process, micros]) => [`CPU a record, ${process}`, micros] as const),
            ['keys a request', requestKeys],
            ['epochs', result.epochs],
          ])
        })
      }
    })
  }
} finally {
  earlier.remove()
}

/** What `npm run bench` says on its last line. */
async function withoutServers(checkout: string): Promise<Figures> {
  const { stdout } = await promisify(execFile)(process.execPath, ['bench/run.ts', String(records)], { cwd: checkout })
  const { reconcile, keyedState, log, emptyEpochMicros, operators } = JSON.parse(
    stdout.trim().split('\n').at(-1) ?? '',
  ) as {
    readonly reconcile: { readonly cpuMicrosPerRecord: number }
    /** Versions before 2026-11-28 do not measure it. */
    readonly keyedState?: { readonly cpuMicrosPerRecord: number }
    readonly log: Readonly<Record<string, number>>
    readonly emptyEpochMicros: number
    readonly operators: readonly { readonly operator: string; readonly microsPerRecord: number }[]
  }
  return new Map([
    ['CPU a record, embedded reconcile', reconcile.cpuMicrosPerRecord],
    ...(keyedState === undefined ? [] : [['CPU a record, keyed state', keyedState.cpuMicrosPerRecord] as const]),
    ...Object.entries(log).map(([what, micros]) => [`embedded log, ${what}`, micros] as const),
    ['an empty epoch', emptyEpochMicros],
    ...operators.map(({ operator, microsPerRecord }) => [operator, microsPerRecord] as const),
  ])
}

/** One run of each that is not counted, then the pairs; which of the two comes first changes from pair to pair. */
async function compare(title: string, measure: (version: Version) => Promise<Figures>): Promise<void> {
  const figures: Record<Version, Figures[]> = { before: [], now: [] }
  for (let pair = 0; pair <= pairs; pair += 1) {
    for (const version of pair % 2 === 0 ? (['before', 'now'] as const) : (['now', 'before'] as const)) {
      const measured = await measure(version)
      if (pair > 0) figures[version].push(measured)
    }
    process.stderr.write(`\r${String(pair)} of ${String(pairs)} pairs`)
  }
  process.stderr.write('\r')
  console.log(`\n${title}`)
  console.log(
    `  ${''.padEnd(40)}${'before'.padStart(9)}${'now'.padStart(9)}  now / before: median and interval; of the lowest`,
  )
  // What both of them measure.
  const names = [...(figures.now[0]?.keys() ?? [])].filter((name) => figures.before[0]?.has(name) === true)
  for (const name of names) {
    const of = (version: Version): readonly number[] => figures[version].map((one) => one.get(name) ?? NaN)
    const [before, now] = [of('before'), of('now')]
    const { median, low, high, coverage } = ratioInterval(
      now.map((micros, at) => ({ before: before[at] ?? NaN, now: micros })),
    )
    console.log(
      `  ${name.padEnd(40)}${middle(before).toFixed(2).padStart(9)}${middle(now).toFixed(2).padStart(9)}  ${median.toFixed(3)}  [${low.toFixed(3)}, ${high.toFixed(3)}] (${(100 * coverage).toFixed(0)} %); ${(Math.min(...now) / Math.min(...before)).toFixed(3)}`,
    )
  }
}

function middle(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2
}
