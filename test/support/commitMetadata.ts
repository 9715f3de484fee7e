import type { CommitMetadata } from '../../src/core/ports/task.ts'

/** What a commit carries, for tests to which most of it does not matter. */
export function commitMetadata(part: Partial<CommitMetadata> = {}): CommitMetadata {
  return {
    version: 1,
    epoch: 0,
    nonce: 'nonce',
    lineage: 'lineage',
    generation: 0,
    inputs: 1,
    partitionCounts: {},
    transactionalIdPrefix: 'job',
    changelogEnd: 0,
    followerBaseMicros: null,
    watermarkMs: null,
    ...part,
  }
}
