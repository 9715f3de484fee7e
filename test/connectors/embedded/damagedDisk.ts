import { crc32 } from 'node:zlib'
import type { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { versionMark } from '../../../src/connectors/embedded/store/recordBatch.ts'
import { readIdentity } from '../../../src/connectors/embedded/store/storeFormat.ts'
import { scanPages } from '../../../src/connectors/embedded/store/storage.ts'
import { formatKey, tagRange } from '../../../src/connectors/embedded/store/storeKeys.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { commitMetadata } from '../../support/commitMetadata.ts'
import { openOnDisk, type Disk } from './diskStorage.ts'
import { jobLogSpec, joinTask } from './embeddedJob.ts'
import { at } from '../../support/positions.ts'

/** A store with something of every sort: topics, records, a changelog that was compacted, offsets, tables and rows. */
export async function fillStore(store: EmbeddedStore): Promise<void> {
  await store.createTopic('in', { partitions: 2, maxMessageBytes: 4_000 })
  for (let n = 0; n < 6; n += 1) {
    await store.append([0, 1].map((partition) => output('in', `message ${String(n)}`, partition)))
  }
  for (const table of ['users', 'orders']) {
    const rows = Array.from({ length: 5 }, (_, id) => ({ id, name: `${table} ${String(id)}` }))
    await store.loadTable({
      keyspace: 'shop',
      table,
      columns: { id: 'int', name: 'text' },
      primaryKey: [['id'], []],
      rows,
    })
  }
  const task = await joinTask(store, jobLogSpec(['in']))
  await task.commitLog.fence()
  for (let epoch = 1; epoch <= 5; epoch += 1) {
    const transaction = task.commitLog.begin()
    transaction.send(output('out', `result ${String(epoch)}`, 1), 'exactly-once')
    const entries = ['same', `own-${String(epoch % 2)}`].map((key) => ({
      key: Buffer.from(key),
      value: Buffer.from(key),
    }))
    const changelogEnd = await transaction.prepare(entries)
    await transaction.commit(at({ in: epoch }), commitMetadata({ epoch, changelogEnd }))
    if (epoch === 4) await task.changelog.compact(() => true)
  }
}

function output(topic: string, value: string, partition: number) {
  return { topic, partition, key: null, value: Buffer.from(value), headers: [], timestamp: 1 }
}

/** Everything that a reader of the store sees, as texts. */
export async function dumpStore(store: EmbeddedStore): Promise<readonly string[]> {
  const lines: string[] = []
  for (const topic of await store.listTopics({ internal: true })) {
    lines.push(JSON.stringify(topic))
    for (const [partition, end] of topic.endOffsets.entries()) {
      for (let from = 0; from < end;) {
        const page = await store.readPage({ topic: topic.name, partition, from, limit: 1_000 })
        lines.push(...page.records.map(recordText))
        from = page.next
      }
    }
  }
  for await (const page of scanPages(store.storage, tagRange('cleaned'), { limit: 100, maxBytes: 1e6 })) {
    lines.push(...page.map(([, value]) => value.toString()))
  }
  lines.push(...(await store.committedOffsets('group')).map((offset) => JSON.stringify(offset)))
  for (const { keyspace, table, definition } of await store.listTables()) {
    lines.push(`${keyspace}.${table} ${definition}`)
    for (let after: string | null = null; ;) {
      const page: { readonly rows: readonly string[]; readonly next: string | null } = await store.readTable(
        keyspace,
        table,
        { after, limit: 1_000 },
      )
      lines.push(...page.rows)
      if (page.next === null) break
      after = page.next
    }
  }
  return lines
}

function recordText({ topic, partition, offset, timestamp, key, raw, headers }: StreamRecord): string {
  return JSON.stringify([topic, partition, offset, timestamp, key?.toString(), raw?.toString(), headers])
}

/** What a disk shows: its content, or the code of the error that says why not. */
export async function dumpDisk(disk: Disk): Promise<readonly string[] | TidemarkError> {
  try {
    return await dumpStore(await openOnDisk(disk))
  } catch (error) {
    if (error instanceof TidemarkError) return error
    throw error
  }
}

/** As format 1 had it: values without checksums of ours, batches without places, and no batch where compaction had emptied one. */
export function asFormat1(disk: Disk): void {
  const entries = new Map(disk.written)
  const { seal } = readIdentity(entries.get(formatKey.toString('latin1'))?.[1] ?? Buffer.alloc(0)) ?? fail()
  for (const [name, [key, value]] of entries) {
    switch (name[0]) {
      case 'r': {
        const mark = seal.ofKey(key)
        const batch = Buffer.from(value)
        batch[0] = 1
        batch.writeUInt32BE((batch.readUInt32BE(1) ^ mark ^ versionMark(2)) >>> 0, 1)
        if (crc32(batch.subarray(5)) !== batch.readUInt32BE(1)) fail()
        entries.set(name, [key, batch])
        break
      }
      case 'w':
        entries.set(name, [key, Buffer.from(seal.openText(key, value.toString()) ?? fail())])
        break
      default:
        entries.set(name, [
          key,
          name === formatKey.toString('latin1') ? Buffer.from('1') : (seal.open(key, value) ?? fail()),
        ])
    }
  }
  disk.written = entries
  disk.synced = entries
}

function fail(): never {
  throw new Error('the store is not as it was made')
}
