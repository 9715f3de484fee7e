import * as t from 'io-ts'
import { TidemarkError } from './errors.ts'
import { isCount, isObject, parseStored, storedAs, storedCount } from './storedJson.ts'
import type { CommitContent, CommitMetadata } from './ports/task.ts'

/** What is stored: short names, because Kafka takes 4,096 characters beside an offset. */
const storedCommitShape = t.readonly(
  t.type({
    v: t.literal(1),
    epoch: storedCount,
    nonce: t.string,
    lineage: t.string,
    gen: storedCount,
    inputs: storedCount,
    counts: t.readonly(t.record(t.string, storedCount)),
    prefix: t.string,
    follow: storedAs('micros', (it): it is number | null => it === null || Number.isSafeInteger(it)),
    mark: storedAs('ms', (it): it is number | null => it === null || Number.isFinite(it)),
  }),
)

/** The text that is committed beside the offsets: compact JSON. */
export function encodeCommitMetadata(metadata: CommitMetadata): string {
  const { follow, mark, ...others } = storedCommit(metadata)
  return JSON.stringify({ ...others, log: metadata.changelogEnd, follow, mark })
}

/** A commit as JSON stores it, without its place in the changelog. */
export function storedCommit(commit: CommitContent): t.TypeOf<typeof storedCommitShape> {
  return {
    v: commit.version,
    epoch: commit.epoch,
    nonce: commit.nonce,
    lineage: commit.lineage,
    gen: commit.generation,
    inputs: commit.inputs,
    counts: commit.partitionCounts,
    prefix: commit.transactionalIdPrefix,
    follow: commit.followerBaseMicros,
    mark: commit.watermarkMs,
  }
}

/** Throws `corrupt-store` for a text that `encodeCommitMetadata` did not write. */
export function decodeCommitMetadata(text: string): CommitMetadata {
  const metadata = readCommitMetadata(text)
  if (metadata !== null) return metadata
  throw foreignMetadata(text)
}

/** The error of a text that `encodeCommitMetadata` did not write. */
export function foreignMetadata(text: string): TidemarkError {
  return new TidemarkError(
    'corrupt-store',
    `The metadata beside a committed offset is not what Tidemark wrote: ${text.slice(0, 100)}. Does something else commit to this consumer group? Begin explicitly with --reset-offsets <mode>`,
  )
}

/** The same, and null for a text that is not ours. */
export function readCommitMetadata(text: string): CommitMetadata | null {
  const stored = parseStored(text)
  const content = commitContentOf(stored)
  return content !== null && isObject(stored) && isCount(stored['log'])
    ? { ...content, changelogEnd: stored['log'] }
    : null
}

/** Undoes `storedCommit`; null for anything that it does not make. */
export function commitContentOf(stored: unknown): CommitContent | null {
  if (!storedCommitShape.is(stored)) return null
  return {
    version: stored.v,
    epoch: stored.epoch,
    nonce: stored.nonce,
    lineage: stored.lineage,
    generation: stored.gen,
    inputs: stored.inputs,
    partitionCounts: stored.counts,
    transactionalIdPrefix: stored.prefix,
    followerBaseMicros: stored.follow,
    watermarkMs: stored.mark,
  }
}

/** What a task has committed of one of its inputs, as a text. */
export interface CommittedText {
  readonly task: number
  readonly metadata: string
}

/**
 * Whether a job had begun before a topic had this partition: each task has noted at its first commit how many partitions its
 * topics had, and they are those that have the task's own. So a topic that task 2 has not noted had two partitions at most,
 * which says nothing of the first two.
 */
export function beganBefore(committed: readonly CommittedText[], topic: string, partition: number): boolean {
  return committed.some(({ task, metadata }) => {
    const commit = readCommitMetadata(metadata)
    return commit !== null && (commit.partitionCounts[topic] ?? task) <= partition
  })
}
