import type { FaultKind } from '../../src/testing/index.ts'
import type { Patch } from '../mutations/patch.ts'

/** A bug that simulation must find. */
export interface PlantedBug extends Patch {
  /** The job whose simulation finds it. */
  readonly job: string
  /** What goes wrong; absent: everything. */
  readonly faults?: readonly FaultKind[]
  /** Seeds within which it is found. */
  readonly withinSeeds: number
}

/** Patches of the sources; none of them is ever applied to the files themselves. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'offsets go on although the outputs before them were aborted',
    job: 'reconcile',
    file: 'src/runtime/task/taskRun.ts',
    find: `    this.#reader?.close()
    this.#reader = null
    // State that is damaged`,
    replace: `    // State that is damaged`,
    withinSeeds: 200,
  },
  {
    name: 'a commit is tried again after an unknown outcome',
    job: 'uppercase',
    file: 'src/runtime/task/epoch.ts',
    find: `outcomeUnknown: committing || !aborted,`,
    replace: `outcomeUnknown: !aborted,`,
    withinSeeds: 200,
  },
  {
    name: 'a late lookup answer counts',
    job: 'reconcile',
    file: 'src/lookup/lookupRequests.ts',
    find: `      if (entry.request !== request) continue
      entry.request = null`,
    replace: `      entry.request = null`,
    withinSeeds: 1_500,
  },
  {
    name: 'a delta is applied twice: an aborted attempt leaves its state behind',
    job: 'counting',
    file: 'src/state/stateOverlay.ts',
    find: `        write(key, encoded)`,
    replace: `        write(key, encoded)
        void (this.#store as any).load([{ key: Buffer.concat([prefix, key]), value: encoded }])`,
    withinSeeds: 50,
  },
  {
    name: 'the fence comes after the offsets were read',
    job: 'uppercase',
    file: 'src/runtime/task/recovery.ts',
    find: `  await log.commitLog.fence()
  const control = await input.control()
  let traces = await readTraces(log, records)`,
    replace: `  const control = await input.control()
  let traces = await readTraces(log, records)
  await log.commitLog.fence()`,
    withinSeeds: 2_000,
  },
  {
    name: 'the gate never opens again',
    job: 'reconcile, ordered',
    file: 'src/core/ports/gate.ts',
    find: `      this.closed = false
`,
    replace: ``,
    withinSeeds: 500,
  },
  {
    name: 'the time of a lookup runs while it waits for its turn in the client',
    job: 'reconcile, overloaded',
    file: 'src/lookup/lookupRequests.ts',
    find: `if (!hasTurns) this.#begin(request, now)`,
    replace: `this.#begin(request, now)`,
    withinSeeds: 50,
  },
  {
    name: 'a timeout runs on after its answer',
    job: 'reconcile',
    file: 'src/lookup/lookupEngine.ts',
    find: `    this.#unlist(entry)
    entry.row =`,
    replace: `    entry.row =`,
    withinSeeds: 600,
  },
  {
    name: 'state that came back from another process is not brought forward',
    job: 'counting',
    file: 'src/state/restore.ts',
    find: `if (plan === 'current') return`,
    replace: `if (plan !== 'wipe') return`,
    withinSeeds: 400,
  },
  {
    name: 'an epoch is committed without draining',
    job: 'reconcile',
    file: 'src/runtime/task/epoch.ts',
    find: `await inTime(attempt.finished)`,
    replace: `await Promise.resolve()`,
    withinSeeds: 100,
  },
  {
    name: 'dead letters go outside of the transaction',
    job: 'reconcile',
    file: 'src/runtime/task/taskRun.ts',
    find: `transaction.send(record, spec.guarantee)`,
    replace: `transaction.send(record, record.topic.endsWith('dlq') ? 'at-least-once' : spec.guarantee)`,
    withinSeeds: 100,
  },
  {
    name: 'what is sent is not awaited before the commit',
    job: 'uppercase',
    file: 'src/runtime/task/epoch.ts',
    find: `await inTime(transaction.prepare(entries))`,
    replace: `(void inTime(transaction.prepare(entries)).catch(() => undefined), 0)`,
    withinSeeds: 10,
  },
  {
    name: 'an epoch begins on a transaction whose abort was lost',
    job: 'counting',
    file: 'src/runtime/task/taskRun.ts',
    find: `if (result.outcomeUnknown || damaged || this.#log.commitLog.lost)`,
    replace: `if (result.outcomeUnknown || damaged)`,
    faults: ['lost request', 'log unreachable', 'late answer'],
    withinSeeds: 500,
  },
  {
    name: 'a reset is repeated after each recovery',
    job: 'uppercase',
    file: 'src/runtime/task/recovery.ts',
    find: `(knownGeneration(traces) ?? -1) < control.generation`,
    replace: `true`,
    faults: ['reset', 'crash after', 'fence'],
    withinSeeds: 50,
  },
  {
    name: 'a reset is obeyed by nobody',
    job: 'uppercase',
    file: 'src/runtime/task/recovery.ts',
    find: `(knownGeneration(traces) ?? -1) < control.generation`,
    replace: `false`,
    faults: ['reset'],
    withinSeeds: 20,
  },
  {
    name: 'a reset leaves the state of the lineage before',
    job: 'counting',
    file: 'src/state/restore.ts',
    find: `if (local.lineage !== committed.lineage || local.generation !== committed.generation) return 'wipe'`,
    replace: `if (local.lineage !== committed.lineage) return 'current'`,
    faults: ['reset'],
    withinSeeds: 20,
  },
  {
    name: 'time in which the process stood still is the time of its lookups',
    job: 'reconcile, overloaded',
    file: 'src/lookup/lookupEngine.ts',
    find: `else this.#askOnceMore(entry)`,
    replace: `else this.#refuse(entry)`,
    faults: ['freeze before', 'freeze after'],
    withinSeeds: 200,
  },
  {
    name: 'what a power loss has left of local state is not verified',
    job: 'counting',
    file: 'src/leveldb/logChain.ts',
    find: `return { damages: this.#damages, tornTail: this.#torn, perhapsTorn, lastSequence: reached }`,
    replace: `return { damages: [], tornTail: null, perhapsTorn, lastSequence: reached }`,
    faults: ['power loss'],
    withinSeeds: 100,
  },
  {
    name: 'a restore trusts the end of the changelog before its markers are there',
    job: 'counting',
    file: 'src/core/visibleRange.ts',
    find: `if (range.end >= committedEnd) return range`,
    replace: `if (range.end >= 0) return range`,
    withinSeeds: 50,
  },
  {
    name: 'an offset of a topic that was deleted is taken for one of its successor',
    job: 'gathering',
    file: 'src/runtime/task/changedInputs.ts',
    find: `return read !== undefined && now !== null && read !== now`,
    replace: `return read !== undefined && now !== null && read === ''`,
    withinSeeds: 100,
  },
  {
    name: 'a topic that a running job meets begins at its end',
    job: 'gathering',
    file: 'src/runtime/task/startPosition.ts',
    find: `if (position === null) return range.start`,
    replace: `if (position === null) return range.end`,
    withinSeeds: 50,
  },
  {
    name: 'a commit record does not say of which topic an offset is',
    job: 'gathering',
    file: 'src/core/changelogRecords.ts',
    find: `topicId === null ? { position } : { position, topicId }`,
    replace: `topicId === '' ? { position, topicId } : { position }`,
    withinSeeds: 200,
  },
  {
    name: 'a task goes on with the topics that it had',
    job: 'gathering',
    file: 'src/core/taskRoster.ts',
    find: `if (!anew && topics !== undefined && sameTopics(topics, log.inputs.topics))`,
    replace: `if (!anew && topics !== undefined)`,
    withinSeeds: 20,
  },
  {
    name: 'nobody is given a partition that a topic has gained',
    job: 'gathering',
    file: 'src/testing/world/memoryGroup.ts',
    find: `this.#dealt = this.#inputs() ?? this.#dealt`,
    replace: `if (this.#dealt.size === 0) this.#dealt = this.#inputs() ?? this.#dealt`,
    withinSeeds: 20,
  },
  // The ones below were in the sources, and simulation found them.
  {
    name: 'a topic that comes back before another commit stops the job',
    job: 'gathering',
    file: 'src/runtime/task/changedInputs.ts',
    find: `if (!inputs.topics.some(isSame)) return []`,
    replace: `if (inputs.topics.length === 0) return [...inputs.topics].filter(isSame)
  if (inputs.topics.length > 0) return []`,
    withinSeeds: 100,
  },
  {
    name: 'a topic that comes back while a task recovers without it stops the job',
    job: 'gathering',
    file: 'src/runtime/task/changedInputs.ts',
    find: `selecting.some(({ kind }) => kind === 'topics')`,
    replace: `selecting.length > 0`,
    withinSeeds: 100,
  },
  {
    name: 'a changelog whose marker is late is taken for one that was cut short',
    job: 'counting',
    file: 'src/core/visibleRange.ts',
    find: `if ((await ends.writtenEnd()) < committedEnd) return range`,
    replace: `if (Math.random() >= 0) return range`,
    faults: ['late marker'],
    withinSeeds: 100,
  },
  {
    name: 'a task that is taken away while it starts goes on',
    job: 'counting',
    file: 'src/runtime/job/jobTasks.ts',
    find: `    this.#first.delete(partition)
    await closeQuietly(`,
    replace: `    if (Number.isNaN(partition)) await closeQuietly(`,
    withinSeeds: 50,
  },
  {
    name: 'a refused prepare is tried again without a fence',
    job: 'uppercase',
    file: 'src/runtime/task/epoch.ts',
    find: `    committing = true
    const changelogEnd = await inTime(transaction.prepare(entries))`,
    replace: `    const changelogEnd = await inTime(transaction.prepare(entries))
    committing = true`,
    withinSeeds: 200,
  },
  {
    name: 'aborted records of the changelog are taken for lost offsets',
    job: 'uppercase',
    file: 'src/runtime/task/commitTraces.ts',
    find: `  let empty = true`,
    replace: `  let empty = end === 0`,
    withinSeeds: 300,
  },
  {
    name: 'an owner that begins between two reads is taken for lost offsets',
    job: 'uppercase',
    file: 'src/runtime/task/recovery.ts',
    find: `    last = lastCommit(`,
    replace: `    void (`,
    faults: ['freeze before', 'freeze after'],
    withinSeeds: 400,
  },
  {
    name: 'rows are ticked off before they are sent',
    job: 'following',
    file: 'src/runtime/follower/epochRows.ts',
    find: `      sent: last?.epoch ?? sent,`,
    replace: `      sent: logged,`,
    withinSeeds: 200,
  },
  {
    name: 'the timestamps of rows are taken from the clock when they are sent',
    job: 'following, without a record',
    file: 'src/runtime/follower/rowSender.ts',
    find: `      ...checkpoint,
`,
    replace: `      ...checkpoint,
      baseMicros: Math.floor(this.#options.clock.now() * 1000),
`,
    withinSeeds: 200,
  },
  {
    name: 'an epoch that stands in the target is written once more',
    job: 'following',
    file: 'src/core/ports/follower.ts',
    find: `    return 'done'`,
    replace: `    return 'write'`,
    withinSeeds: 200,
  },
  {
    name: 'the time of rows goes back with the clock',
    job: 'following, without a record',
    file: 'src/runtime/follower/taskFollowers.ts',
    find: `Math.max(Math.floor(clock.now() * 1000), followerBaseMicros ?? 0)`,
    replace: `Math.floor(clock.now() * 1000 + 0 * (followerBaseMicros ?? 0))`,
    withinSeeds: 500,
  },
]
