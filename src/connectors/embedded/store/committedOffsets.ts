import * as t from 'io-ts'
import { scanPages, type Storage } from './storage.ts'
import { groupRange, offsetKey, parseOffsetKey, type OffsetPlace } from './storeKeys.ts'
import { decodeStored } from '../damage/damagedStore.ts'
import type { StoreWrite } from './storeWriter.ts'

/** A committed offset, as it is stored. */
export const storedOffset = t.strict({ offset: t.number, metadata: t.string })
export type StoredOffset = t.TypeOf<typeof storedOffset>

/** A committed offset of a group, as a listing shows it. */
export const listedOffset = t.readonly(
  t.strict({ topic: t.string, partition: t.number, offset: t.number, metadata: t.string }),
)
export type ListedOffset = t.TypeOf<typeof listedOffset>

export function putCommittedOffset(write: StoreWrite, place: OffsetPlace, committed: StoredOffset): void {
  const { offset, metadata } = committed
  const value = Buffer.from(JSON.stringify({ offset, metadata }))
  write.put(offsetKey(place.group, place.topic, place.partition), value)
}

export function getCommittedOffset(
  storage: Storage,
  { group, topic, partition }: OffsetPlace,
): StoredOffset | undefined {
  const value = storage.get(offsetKey(group, topic, partition))
  return value === undefined ? undefined : decodeStored(storedOffset, value, `The committed offset of group ${group}`)
}

/** All committed offsets of a group, by topic and partition. */
export async function listCommittedOffsets(storage: Storage, group: string): Promise<readonly ListedOffset[]> {
  const found: ListedOffset[] = []
  for await (const page of scanPages(storage, groupRange(group), { limit: 1_000, maxBytes: 1024 * 1024 })) {
    for (const [key, value] of page) {
      const committed = decodeStored(storedOffset, value, `A committed offset of group ${group}`)
      const { topic, partition } = parseOffsetKey(key)
      found.push({ topic, partition, ...committed })
    }
  }
  return found
}
