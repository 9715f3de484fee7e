/*
 * `npm run demo:kill`: the reconcile job on a generated sample, killed -9 twenty times with records in flight, and the
 * account at the end: every message gave exactly one result or one dead letter.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { styleText } from 'node:util'
import { systemRandom } from '../../src/core/ports/random.ts'
import { EmbeddedRun, readTopic } from '../support/faults/embeddedRun.ts'
import { sum } from '../support/faults/faultRun.ts'
import { reconcileUnderFaults } from '../support/faults/reconcileFaults.ts'

const kills = 20
const messages = 4_000

const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-demo-'))
const run = new EmbeddedRun(directory, { ...reconcileUnderFaults(), file: 'test/support/jobs/watchedReconcile.ts' })

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

/** What is committed: results, dead letters, and the positions that stand for them. */
async function account(): Promise<{ readonly results: number; readonly dead: number; readonly positions: number }> {
  const [results, dead] = await run.withStore(async (store) => [
    (await readTopic(store, 'reconcile')).length,
    (await readTopic(store, 'reconcile-dlq')).length,
  ])
  return { results: results ?? 0, dead: dead ?? 0, positions: sum(await run.committed()) }
}

try {
  say(
    `The reconcile job on ${String(messages)} messages, killed -9 ${String(kills)} times while records are in flight.\n`,
  )
  let killed = 0
  while (killed < kills) {
    const end = await run.run({
      kill: { random: systemRandom, records: 100 },
      args: ['--dashboard.port=0', ...(killed === 0 ? ['--fresh', '--yes', '--records', String(messages)] : [])],
    })
    const { results, dead, positions } = await account()
    if (!end.killed) break
    if (end.uncommitted > 0) killed += 1
    const agree = results + dead === positions
    say(
      `${String(killed).padStart(3)}  kill -9 with ${String(end.uncommitted).padStart(5)} records taken in and not committed; committed: ${String(results).padStart(6)} results + ${String(dead).padStart(4)} dead letters = ${String(positions).padStart(6)} positions ${agree ? styleText('green', 'ok') : styleText('red', 'DIFFERENT')}`,
    )
  }
  await run.run()
  const inputs = await run.withStore((store) => readTopic(store, 'input-topic'))
  const { results, dead } = await account()
  const sources = new Map<string, number>()
  const outputs = await run.withStore(async (store) => [
    ...(await readTopic(store, 'reconcile')),
    ...(await readTopic(store, 'reconcile-dlq')),
  ])
  // A result carries its message's key and timestamp, which are one message's only.
  const nameOf = ({ key, timestamp }: { readonly key: Buffer | null; readonly timestamp: number }): string =>
    `${key?.toString('hex') ?? '-'} ${String(timestamp)}`
  for (const record of outputs) sources.set(nameOf(record), (sources.get(nameOf(record)) ?? 0) + 1)
  for (const record of inputs) sources.set(nameOf(record), (sources.get(nameOf(record)) ?? 0) - 1)
  const lost = [...sources.values()].filter((balance) => balance < 0).length
  const doubled = [...sources.values()].filter((balance) => balance > 0).length
  const right = lost === 0 && doubled === 0
  const line = `${String(inputs.length)} in, ${String(results)} out + ${String(dead)} dead, ${String(lost)} lost, ${String(doubled)} doubled, after ${String(killed)} kills`
  say(`\n${styleText(right ? ['bold', 'green'] : ['bold', 'red'], line)}`)
  process.exitCode = right ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
