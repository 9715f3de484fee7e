import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { decodeCommitMetadata } from '../../../src/core/commitMetadata.ts'
import { formatPosition, type StreamRecord } from '../../../src/core/record.ts'
import type { CommitMetadata } from '../../../src/core/ports/task.ts'
import { commitKey, lineageKey } from '../../../src/state/changelogKey.ts'
import { openOnDisk, type Disk } from '../../connectors/embedded/diskStorage.ts'
import { partitions, type CrashCase } from './crashCase.ts'
import type { ProcessEnd } from './crashWorld.ts'

/** A position that a group has committed. */
export interface CommittedPosition {
  readonly offset: number
  readonly metadata: CommitMetadata
}

/** Everything a job has left on a disk for others to see, as a process sees it that opens the disk now. */
export interface CrashSnapshot {
  /** Input by partition and offset. */
  readonly inputs: readonly (readonly StreamRecord[])[]
  /** Results and dead letters, topic by topic, in the order of partition and offset. */
  readonly outputs: readonly StreamRecord[]
  /** By partition; absent: nothing is committed. */
  readonly positions: ReadonlyMap<number, CommittedPosition>
  /** By partition: the last value of every key of the changelog as latin1 text, and where it ends. */
  readonly changelogs: readonly { readonly values: ReadonlyMap<string, string>; readonly end: number }[]
}

/** Looks at a disk without leaving a trace on it. */
export async function crashSnapshot(of: CrashCase, disk: Disk): Promise<CrashSnapshot> {
  const store = await openOnDisk(disk.copy(), { partitions })
  const outputs: StreamRecord[] = []
  for (const topic of of.outputTopics) for (const records of await readTopic(store, topic)) outputs.push(...records)
  const positions = new Map<number, CommittedPosition>()
  for (const { partition, offset, metadata } of await store.committedOffsets(of.groupId)) {
    positions.set(partition, { offset, metadata: decodeCommitMetadata(metadata) })
  }
  const changelogEnds = store.topics.find(of.changelogTopic)?.partitions.map(({ end }) => end) ?? []
  const changelogs = (await readTopic(store, of.changelogTopic)).map((records, partition) => ({
    values: fold(records),
    end: changelogEnds[partition] ?? 0,
  }))
  return { inputs: await readTopic(store, of.inputTopic), outputs, positions, changelogs }
}

/** What a reader could have seen of the outputs before the process died. */
export function shownOutputs({ outputs }: CrashSnapshot, { readable }: ProcessEnd): readonly string[] {
  if (readable === null) return []
  return outputs
    .filter(({ topic, partition, offset }) => offset < (readable.get(topic)?.[partition] ?? 0))
    .map(placedText)
}

/** An output with its place. */
export function placedText(record: StreamRecord): string {
  return `${formatPosition(record)} ${outputText(record)}`
}

/** An output wherever it stands: topic, key and value. */
export function outputText({ topic, key, raw }: StreamRecord): string {
  return JSON.stringify([topic, key?.toString('latin1') ?? null, raw?.toString('latin1') ?? null])
}

/** Which input record this is, or comes from. */
export function idOf({ headers }: StreamRecord): string {
  return headers.find(([name]) => name === 'id')?.[1]?.toString() ?? ''
}

async function readTopic(store: EmbeddedStore, topic: string): Promise<readonly (readonly StreamRecord[])[]> {
  const logs = store.topics.find(topic)?.partitions ?? []
  return Promise.all(
    logs.map(async ({ partition, end }) => {
      const records: StreamRecord[] = []
      for (let from = 0; from < end;) {
        const page = await store.readPage({ topic, partition, from, limit: 1_000 })
        records.push(...page.records)
        from = page.next
      }
      return records
    }),
  )
}

/** The state that a changelog amounts to; its lineage and commit records are none. */
function fold(records: readonly StreamRecord[]): Map<string, string> {
  const values = new Map<string, string>()
  for (const { key, raw } of records) {
    if (key === null || key.equals(lineageKey) || key.equals(commitKey)) continue
    if (raw === null) values.delete(key.toString('latin1'))
    else values.set(key.toString('latin1'), raw.toString('latin1'))
  }
  return values
}
