import { TidemarkError } from './errors.ts'
import type { CommitMetadata } from './task.ts'

/** What is stored: short names, because Kafka takes 4,096 characters beside an offset. */
interface StoredMetadata {
  readonly v: 1
  readonly epoch: number
  readonly nonce: string
  readonly lineage: string
  readonly gen: number
  readonly inputs: number
  readonly counts: Readonly<Record<string, number>>
  readonly prefix: string
  readonly log: number
  readonly follow: number | null
  readonly mark: number | null
}

/** The text that is committed beside the offsets: compact JSON. */
export function encodeCommitMetadata(metadata: CommitMetadata): string {
  const stored: StoredMetadata = {
    v: metadata.version,
    epoch: metadata.epoch,
    nonce: metadata.nonce,
    lineage: metadata.lineage,
    gen: metadata.generation,
    inputs: metadata.inputs,
    counts: metadata.partitionCounts,
    prefix: metadata.transactionalIdPrefix,
    log: metadata.changelogEnd,
    follow: metadata.followerBaseMicros,
    mark: metadata.watermarkMs,
  }
  return JSON.stringify(stored)
}

/** Throws `corrupt-store` for a text that `encodeCommitMetadata` did not write. */
export function decodeCommitMetadata(text: string): CommitMetadata {
  const stored = parse(text)
  if (!isStoredMetadata(stored)) {
    throw new TidemarkError(
      'corrupt-store',
      `The metadata beside a committed offset is not what Tidemark wrote: ${text.slice(0, 100)}. Does something else commit to this consumer group? Begin explicitly with --reset-offsets <mode>`,
    )
  }
  return {
    version: stored.v,
    epoch: stored.epoch,
    nonce: stored.nonce,
    lineage: stored.lineage,
    generation: stored.gen,
    inputs: stored.inputs,
    partitionCounts: stored.counts,
    transactionalIdPrefix: stored.prefix,
    changelogEnd: stored.log,
    followerBaseMicros: stored.follow,
    watermarkMs: stored.mark,
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isStoredMetadata(value: unknown): value is StoredMetadata {
  if (!isObject(value)) return false
  return (
    value['v'] === 1 &&
    isCount(value['epoch']) &&
    typeof value['nonce'] === 'string' &&
    typeof value['lineage'] === 'string' &&
    isCount(value['gen']) &&
    isCount(value['inputs']) &&
    isObject(value['counts']) &&
    Object.values(value['counts']).every(isCount) &&
    typeof value['prefix'] === 'string' &&
    isCount(value['log']) &&
    (value['follow'] === null || Number.isSafeInteger(value['follow'])) &&
    (value['mark'] === null || Number.isFinite(value['mark']))
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
