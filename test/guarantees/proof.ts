/**
 * `npm run proof:servers`: the long version of `test/guarantees/real/kill.test.ts`, with a worker that is killed again and again
 * while 100,000 messages go through real Kafka and real Cassandra. When everything holds it writes its figures into
 * docs/proof.md; else it says what did not and ends with 1.
 *
 *     node test/guarantees/proof.ts [--records 100000] [--kills 100] [--seed 1]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { seededRandom } from '../../src/testing/seededRandom.ts'
import { crashPoints } from '../support/faults/crashPoints.ts'
import { FaultRun } from '../support/faults/faultRun.ts'
import { startFaultServers } from '../support/faults/faultServers.ts'
import { judge, type Judged } from '../support/faults/judge.ts'
import { endInOrder, killRounds, type KillPoint } from '../support/faults/killRounds.ts'
import { reconcileUnderFaults } from '../support/faults/reconcileFaults.ts'

const page = 'docs/proof.md'
const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '100000' },
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
  },
})
const records = Number(values.records)
const kills = Number(values.kills)
const job = reconcileUnderFaults({ rateLimit: 400 })
const points: readonly KillPoint[] = [...crashPoints, 'at a random moment']
const startedMs = performance.now()

const servers = await startFaultServers({ cassandra: true })
const run = new FaultRun(servers, job)
try {
  await run.begin()
  await run.write(records)
  const rounds = Array.from({ length: kills }, (_, n) => points[n % points.length] ?? 'at a random moment')
  await killRounds(run, servers, rounds, seededRandom(Number(values.seed)))
  const last = run.start({ 'reconcile.rate.limit': 100_000, 'reconcile.capacity': 1_000 })
  await run.until('everything is committed', async () => (await run.committedTotal()) === run.messages, 300_000)
  await endInOrder(last)
  const judged = await judge(run, servers.bootstrap, job.outputs)
  const wrong = whatIsWrong(judged)
  if (wrong.length === 0) report(judged)
  else {
    process.exitCode = 1
    process.stderr.write(`${wrong.join('\n')}\n`)
  }
} finally {
  await run.close()
  await servers.close()
}

function whatIsWrong({ live, fresh, console, doubled }: Judged): readonly string[] {
  const written = [...run.names].toSorted()
  return [
    ...doubled,
    ...(live.join() === fresh.join() ? [] : ['The reader during the faults and the one after them disagree']),
    ...(console.join() === written.join()
      ? []
      : [`Kafka's console consumer saw ${String(console.length)} outputs of ${String(written.length)} messages`]),
    ...run.faults
      .filter(({ uncommitted }) => uncommitted === 0)
      .map(({ fault }) => `Nothing was uncommitted: ${fault}`),
  ]
}

/** Puts the figures between the marks of the page. */
function report({ fresh, console }: Judged): void {
  const resumed = run.faults.map(({ resumedMs }) => resumedMs).toSorted((a, b) => a - b)
  const at = (share: number): string =>
    String(resumed[Math.min(resumed.length - 1, Math.floor(resumed.length * share))])
  const rows = points.map((point) => {
    const count = run.faults.filter(({ fault }) => fault === `killed ${point}`).length
    return `| killed ${point} | ${String(count)} |`
  })
  const seconds = String(Math.round((performance.now() - startedMs) / 1_000))
  const command = `npm run proof:servers -- --records ${values.records} --kills ${values.kills} --seed ${values.seed}`
  const text = [
    `\`${command}\` on ${String(cpus().length)} cores, Node ${process.versions.node}, ${seconds} s:`,
    '',
    '| fault | times |',
    '| --- | --- |',
    ...rows,
    '',
    `${String(run.messages)} messages, ${String(fresh.length)} outputs and dead letters seen by the reader during the faults and`,
    `by the one after them, ${String(console.length)} by Kafka's console consumer: none missing, none doubled, none aborted.`,
    `From a kill to the next commit: median ${at(0.5)} ms, longest ${at(1)} ms.`,
  ].join('\n')
  const old = readFileSync(page, 'utf8')
  writeFileSync(
    page,
    old.replace(/(<!-- proof -->\n)[^]*(\n<!-- end -->)/, (_, open: string, end: string) => `${open}\n${text}\n${end}`),
  )
  process.stdout.write(`${text}\n`)
}
