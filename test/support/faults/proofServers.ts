import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'
import { killBroker, moveLeaders } from './brokerFaults.ts'
import { startClusterServers } from './clusterServers.ts'
import { crashPoints } from './crashPoints.ts'
import { FaultRun, resumeLimitMs, type FaultedJob } from './faultRun.ts'
import { startFaultServers } from './faultServers.ts'
import { judge } from './judge.ts'
import { endInOrder, killTogether, type KillPoint } from './killRounds.ts'
import { Leaders } from './leaders.ts'
import { medianAndLongest, table, type Proved } from './proofPage.ts'
import { reconcileUnderFaults, refusedMessages } from './reconcileFaults.ts'

export interface ServerProofOptions {
  readonly records: number
  readonly kills: number
  readonly seed: number
}

const frozenMs = 60_000
/** The driver waits up to so long before it tries a node again that was away. */
const reconnectMs = 10_000
/** Of the workers that share the partitions and are killed together. */
const workersAtOnce = 2
const brokerRounds = 2
const movesEach = 5
const finishMs = 300_000
/** Left to do at a fault's beginning, at least. */
const aheadMessages = 8_000

/** jobs/reconcile.ts, killed again and again, and then with Cassandra frozen for a minute under load. */
export async function proveKills({ records, kills, seed }: ServerProofOptions): Promise<Proved> {
  const job = reconcileUnderFaults({ rateLimit: 400 })
  const points: readonly KillPoint[] = [...crashPoints, 'at a random moment']
  const servers = await startFaultServers({ cassandra: true })
  const run = new FaultRun(servers, job)
  try {
    await run.begin()
    // The rest comes later: a process that has read ahead as much as it may fetches nothing at a moment of our choice.
    await run.write(aheadMessages)
    const rounds = Array.from(
      { length: Math.ceil(kills / workersAtOnce) },
      (_, n) => points[n % points.length] ?? 'at a random moment',
    )
    await killTogether(run, servers, rounds, { random: seededRandom(seed), workers: workersAtOnce })

    const worker = run.start()
    await worker.joined
    // More than it does in that minute.
    await run.write(Math.max(records, run.messages + aheadMessages))
    const uncommitted = await run.waiting()
    servers.cassandra?.freeze()
    await sleep(systemClock, frozenMs)
    servers.cassandra?.thaw()
    await run.resumes('Cassandra frozen 60 s', uncommitted, { limitMs: resumeLimitMs + reconnectMs })
    await endInOrder(worker)

    const counted = run.faults.filter(({ fault, uncommitted: left }) => fault.startsWith('killed') && left > 0)
    const tooFew = counted.length < kills ? [`Only ${String(counted.length)} kills counted`] : []
    const proved = await finishAndJudge(run, servers.bootstrap, job)
    return { ...proved, wrong: [...tooFew, ...proved.wrong] }
  } finally {
    await run.close()
    await servers.close()
  }
}

/** jobs/reconcile.ts on three brokers, whose leaders move while it sends, and of which one after another is killed. */
export async function proveLeaders({ records }: ServerProofOptions): Promise<Proved> {
  const job = reconcileUnderFaults({ rateLimit: 100 })
  const servers = await startClusterServers({ cassandra: true })
  const run = new FaultRun(servers, job)
  let moved = 0
  try {
    await run.begin()
    await run.write(records)
    const leaders = new Leaders(run.world)
    const worker = run.start()
    await run.eachCommits(1)
    for (let round = 0; round < brokerRounds; round += 1) {
      for (const node of [1, 2, 3]) {
        await run.keepAhead(aheadMessages)
        moved += await moveLeaders(run, leaders, movesEach)
        const roles = [
          ...((await leaders.coordinator('group', job.groupId)) === node ? ['group'] : []),
          ...((await leaders.coordinator('transaction', 'reconcile-tx-source-0')) === node ? ['transactions'] : []),
        ]
        const role = roles.length === 0 ? 'leader of partitions' : `coordinator of ${roles.join(' and ')}`
        await run.keepAhead(aheadMessages)
        await killBroker(run, servers, leaders, { node, role })
      }
    }
    for (const [kind, id] of [
      ['group', job.groupId],
      ['transaction', 'reconcile-tx-source-0'],
    ] as const) {
      const role = `coordinator of ${kind === 'group' ? 'group' : 'transactions'}, chosen`
      await run.keepAhead(aheadMessages)
      await killBroker(run, servers, leaders, { node: await leaders.coordinator(kind, id), role })
    }
    await endInOrder(worker)
    const proved = await finishAndJudge(run, servers.bootstrap, job)
    const behindLeaders = run.faults.flatMap(({ resumedMs, ledMs }) => (ledMs === undefined ? [] : [resumedMs - ledMs]))
    return {
      ...proved,
      figures: [
        ...proved.figures,
        `${String(moved)} leaders of partitions were moved. After a kill, from the moment when all that the broker had led was led by`,
        `others until each partition committed again: ${medianAndLongest(behindLeaders)}.`,
      ],
    }
  } finally {
    await run.close()
    await servers.close()
  }
}

async function finishAndJudge(run: FaultRun, bootstrap: string, job: FaultedJob): Promise<Proved> {
  await run.finish({}, finishMs)
  const { mistakes, outputs, consoled } = await judge(run, bootstrap, job)
  const refused = refusedMessages(outputs)
  const wrong = [
    ...mistakes,
    ...(refused.join() === refusedMessages(run.names).join()
      ? []
      : [`There are ${String(refused.length)} dead letters, and not one for each message that is no JSON`]),
    ...run.faults
      .filter(({ uncommitted }) => uncommitted === 0)
      .map(({ fault }) => `Nothing was uncommitted: ${fault}`),
  ]
  const faults = [...Map.groupBy(run.faults, ({ fault }) => fault)]
  return {
    wrong,
    figures: [
      ...table(
        ['fault', 'times, and until each partition commits again'],
        faults.map(([fault, times]) => [
          fault,
          `${String(times.length)}: ${medianAndLongest(times.map(({ resumedMs }) => resumedMs))}`,
        ]),
      ),
      '',
      `${String(run.messages)} messages; ${String(outputs.length)} outputs, ${String(refused.length)} of them dead letters (one for each`,
      'message that is no JSON, and none for an outage), for the reader during the faults and the one after them, and',
      `${String(consoled.length)} for Kafka's console consumer: none missing, none doubled, none aborted, and each of them byte for byte what`,
      'its message must lead to.',
    ],
  }
}
