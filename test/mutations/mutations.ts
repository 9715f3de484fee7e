import type { Patch } from './patch.ts'

/** A bug that a unit suite must see. */
export interface Mutation extends Patch {
  /** The cheapest suite that fails; it knows nothing of the change. */
  readonly caughtBy: string
  /** Tried with every change of the project, not only when all are. */
  readonly always?: boolean
}

/**
 * Mutations that no suite saw once, and others of their kind. What simulation finds stands in test/simulation/plantedBugs.ts;
 * here is what a unit suite catches sooner.
 */
export const mutations: readonly Mutation[] = [
  {
    name: 'a reset is repeated after each recovery',
    file: 'src/runtime/task/recovery.ts',
    find: `(knownGeneration(traces) ?? -1) < control.generation`,
    replace: `true`,
    caughtBy: 'test/runtime/resets.test.ts',
    always: true,
  },
  {
    name: 'a reset is obeyed by nobody',
    file: 'src/runtime/task/recovery.ts',
    find: `(knownGeneration(traces) ?? -1) < control.generation`,
    replace: `false`,
    caughtBy: 'test/runtime/resets.test.ts',
  },
  {
    name: 'offsets of some inputs are taken for those of all (carriers < inputs)',
    file: 'src/runtime/task/lastCommit.ts',
    find: `if (missing <= 0) return`,
    replace: `if (missing < agreed.inputs) return`,
    caughtBy: 'test/runtime/task/lastCommit.test.ts',
    always: true,
  },
  {
    name: 'the lineages of two inputs are not compared',
    file: 'src/runtime/task/lastCommit.ts',
    find: `!sameCheckpoint(agreed, other) || agreed.lineage !== other.lineage`,
    replace: `!sameCheckpoint(agreed, other)`,
    caughtBy: 'test/runtime/task/lastCommit.test.ts',
  },
  {
    name: 'the lineage of a commit record is not compared',
    file: 'src/runtime/task/lastCommit.ts',
    find: `sameCheckpoint(commit, metadata) && commit.lineage === metadata.lineage`,
    replace: `sameCheckpoint(commit, metadata)`,
    caughtBy: 'test/runtime/task/lastCommit.test.ts',
  },
  {
    name: 'the commit record is ignored',
    file: 'src/runtime/task/commitTraces.ts',
    find: `if (fact.kind === 'commit') commit = fact.record`,
    replace: ``,
    caughtBy: 'test/runtime/expiredOffsets.test.ts',
  },
  {
    name: 'a lost answer to the end of a transaction is asked for again on the same producer',
    file: 'src/connectors/kafka/write/taskProducer.ts',
    find: `        this.#broken ??= asTransactionError(`,
    replace: `        if (what === 'The commit') return await step()
        this.#broken ??= asTransactionError(`,
    caughtBy: 'test/connectors/kafka/write/taskProducer.test.ts',
    always: true,
  },
  {
    name: 'batches of a transaction that was given up are still sent',
    file: 'src/connectors/kafka/write/taskProducer.ts',
    find: `if (unwanted()) return nothingAppended`,
    replace: ``,
    caughtBy: 'test/connectors/kafka/write/taskProducer.test.ts',
  },
  {
    name: 'a process confirms a task that the group has given to another one',
    file: 'src/connectors/kafka/group/groupMember.ts',
    find: `if (over || (stay !== null && !stay.tasks.has(task))) throw`,
    replace: `if (over) throw`,
    caughtBy: 'test/connectors/kafka/group/groupMember.test.ts',
  },
  {
    name: 'halving never halves',
    file: 'src/runtime/task/failingStretch.ts',
    find: `Math.max(1, Math.ceil(Math.min(records, this.#limit) / 2))`,
    replace: `records`,
    caughtBy: 'test/runtime/task/failingStretch.test.ts',
    always: true,
  },
  {
    name: 'deadlines are told by the wall clock',
    file: 'src/lookup/deadlines.ts',
    find: `const now = this.#clock.monotonicMs()`,
    replace: `const now = this.#clock.now()`,
    caughtBy: 'test/operators/asyncLookupFailures.test.ts',
  },
  {
    name: 'time in which the process stood still counts for lookups',
    file: 'src/lookup/deadlines.ts',
    find: `if (lateMs >= stalledMs) for`,
    replace: `if (lateMs >= Infinity) for`,
    caughtBy: 'test/operators/asyncLookupOutages.test.ts',
  },
  {
    name: 'what failed in an outage is a dead letter when it ends',
    file: 'src/lookup/lookupEngine.ts',
    find: `else this.#askOnceMore(entry)`,
    replace: `else this.#refuse(entry)`,
    caughtBy: 'test/operators/asyncLookupOutages.test.ts',
  },
  {
    name: 'the range of a changelog is trusted before its markers are there',
    file: 'src/core/visibleRange.ts',
    find: `if (range.end >= committedEnd) return range`,
    replace: `if (range.end >= 0) return range`,
    caughtBy: 'test/core/visibleRange.test.ts',
  },
  {
    name: 'a changelog that is only late is taken for one that was cut short',
    file: 'src/core/visibleRange.ts',
    find: `if ((await ends.writtenEnd()) < committedEnd) return range`,
    replace: `if (Math.random() >= 0) return range`,
    caughtBy: 'test/core/visibleRange.test.ts',
  },
  {
    name: 'a full restore does not ask for the lineage record of its generation',
    file: 'src/state/restore.ts',
    find: `plan === 'wipe' && written === null && committed.changelogEnd > 0`,
    replace: `plan === 'current'`,
    caughtBy: 'test/state/restore.test.ts',
  },
  {
    name: 'a topic made anew under the name of an input is read on',
    file: 'src/runtime/task/changedInputs.ts',
    find: `!isAnother(inputs, topic, committed) || accepted.has(topic)`,
    replace: `topic !== ''`,
    caughtBy: 'test/runtime/task/topicIdentity.test.ts',
  },
  {
    name: 'local state is opened without having been read',
    file: 'src/state/levelStateStore.ts',
    find: `const doubt = await doubtIn(this.directory)`,
    replace: `const doubt = await Promise.resolve<LevelDamage | null>(null)`,
    caughtBy: 'test/state/levelStateStore.test.ts',
  },
  {
    name: 'a value is not held against its checksum',
    file: 'src/leveldb/valueSeal.ts',
    find: `return (checksum | 0) === wordAt(sealed, length) ? sealed.subarray(0, length) : this.#openEarlier(key, sealed)`,
    replace: `return checksum === checksum ? sealed.subarray(0, length) : null`,
    caughtBy: 'test/leveldb/valueSeal.test.ts',
  },
  {
    name: 'a gap between two batches of a log is not noticed',
    file: 'src/leveldb/logChain.ts',
    find: `if (this.#next !== null && head.sequence !== this.#next)`,
    replace: `if (this.#next !== null && head.sequence < 0)`,
    caughtBy: 'test/leveldb/logChain.test.ts',
  },
  {
    name: 'damage in the middle of a log is taken for its torn end',
    file: 'src/leveldb/logScan.ts',
    find: `        this.#break.torn = false
`,
    replace: ``,
    caughtBy: 'test/leveldb/logChain.test.ts',
  },
  {
    name: 'a table that is another one is not noticed',
    file: 'src/leveldb/verifyTable.ts',
    find: `if (file.size !== table.bytes)`,
    replace: `if (file.size < 0)`,
    caughtBy: 'test/leveldb/verifyLevel.test.ts',
  },
]
