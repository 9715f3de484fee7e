import { isRight } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { parseStored } from '../../../core/storedJson.ts'
import type { ValueSeal } from '../../../leveldb/valueSeal.ts'
import { damagedStore } from './damagedStore.ts'
import { encodeRecordBatch } from '../store/recordBatch.ts'
import { keyAfter, scanPages, type Storage, type StorageEntry, type StorageOperation } from '../store/storage.ts'
import { batchKey, formatKey, tagRange, upgradingKey } from '../store/storeKeys.ts'
import { checkUnsealed, gapsOf, unsealedPartitions, type UnsealedPartition } from './unsealedStore.ts'

/** One write. */
const page = { limit: 1_000, maxBytes: 1024 * 1024 }

/** Up to which key, in hex, values have their checksums. */
const storedUpgrade = t.strict({ after: t.string })

/**
 * Makes a store of format 1 into one of format 2, or goes on with one that was interrupted: every write is small and synced,
 * and leaves a store that the next open goes on with. First everything is checked, and gaps that compaction has left in
 * changelogs are closed, which is still format 1. Then the store is of format 2, with a mark of how far its values have
 * checksums; the mark moves in the same writes. Batches keep the checksums that they have.
 */
export async function upgradeStore(storage: Storage, seal: ValueSeal, formatEntry: Buffer): Promise<void> {
  if (storage.get(upgradingKey) === undefined) {
    await checkUnsealed(storage, seal)
    for (const log of await unsealedPartitions(storage, seal)) if (log.internal) await closeGaps(storage, log)
    await storage.write([{ type: 'put', key: formatKey, value: formatEntry }, mark(seal, '')], { sync: true })
  }
  const done = readMark(storage.get(upgradingKey) ?? Buffer.alloc(0), seal)
  if (done === null) throw damagedStore('The entry of the embedded store that says how far it is upgraded is damaged')
  for (const range of [
    { from: keyAfter(upgradingKey), to: tagRange('record').from },
    { from: tagRange('record').to, to: null },
  ]) {
    const from = Buffer.compare(done, range.from) >= 0 ? keyAfter(done) : range.from
    if (range.to !== null && Buffer.compare(from, range.to) >= 0) continue
    for await (const entries of scanPages(storage, { from, to: range.to }, page)) {
      const last = entries.at(-1)
      if (last === undefined) break
      await storage.write([...entries.map((entry) => sealed(seal, entry)), mark(seal, last[0].toString('hex'))], {
        sync: true,
      })
    }
  }
  await storage.write([{ type: 'del', key: upgradingKey }], { sync: true })
}

function sealed(seal: ValueSeal, [key, value]: StorageEntry): StorageOperation {
  const isRow = Buffer.compare(key, tagRange('row').from) >= 0 && Buffer.compare(key, tagRange('row').to) < 0
  return { type: 'put', key, value: isRow ? seal.sealText(key, value.toString()) : seal.seal(key, value) }
}

function mark(seal: ValueSeal, after: string): StorageOperation {
  return { type: 'put', key: upgradingKey, value: seal.seal(upgradingKey, Buffer.from(JSON.stringify({ after }))) }
}

/** Up to which key an upgrade has come; null when the entry is not what was written. */
export function readMark(stored: Buffer, seal: ValueSeal): Buffer | null {
  const opened = seal.open(upgradingKey, stored)
  const decoded = storedUpgrade.decode(opened === null ? undefined : parseStored(opened))
  return isRight(decoded) ? Buffer.from(decoded.right.after, 'hex') : null
}

/** A batch without records for each stretch that compaction has left without one. */
async function closeGaps(storage: Storage, log: UnsealedPartition): Promise<void> {
  let operations: StorageOperation[] = []
  const flush = async (): Promise<void> => {
    if (operations.length > 0) await storage.write(operations, { sync: true })
    operations = []
  }
  for await (const gap of gapsOf(storage, log)) {
    const key = batchKey(log.topicId, log.partition, gap.last)
    operations.push({ type: 'put', key, value: encodeRecordBatch(gap, []) })
    if (operations.length >= page.limit) await flush()
  }
  await flush()
}
