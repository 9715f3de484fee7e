import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { openLevelStorage } from '../../../../src/connectors/embedded/store/levelStorage.ts'
import { openBatch } from '../../../../src/connectors/embedded/store/readLogPage.ts'
import { RecordBatch, encodeRecordBatch, versionMark } from '../../../../src/connectors/embedded/store/recordBatch.ts'
import type { Storage } from '../../../../src/connectors/embedded/store/storage.ts'
import { batchKey, batchLastOffset } from '../../../../src/connectors/embedded/store/storeKeys.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { taskLogConformance } from '../../../conformance/taskLog.ts'
import type { TaskLogWorld } from '../../../conformance/taskLogSteps.ts'
import { jobLogSpec, joinTask } from '../embeddedJob.ts'
import { temporaryDirectory } from '../temporaryDirectory.ts'

const readAhead = { records: 500, bytes: 100_000 }

taskLogConformance('embedded', async (): Promise<TaskLogWorld> => {
  const directory = await temporaryDirectory()
  const counted = { records: 0 }
  const open = (): Promise<EmbeddedStore> =>
    EmbeddedStore.open(join(directory.path, 'log'), {
      clock: systemClock,
      partitions: 2,
      openStorage: async (path) => countBatches(await openLevelStorage(path), counted),
    })
  let store = await open()
  await store.createTopic('orders')
  await store.createTopic('payments')
  return {
    taskLog: (partition) =>
      joinTask(store, jobLogSpec(['orders', 'payments'], { copartitioned: true }), partition, readAhead),
    async append(records) {
      await store.append(records)
      counted.records = 0
    },
    async readAll(topic, partition) {
      if (store.topics.find(topic) === undefined) return []
      return (await store.readPage({ topic, partition, from: 0, limit: 1_000_000 })).records
    },
    async removeRecord(topic, partition, offset) {
      const log = store.topics.partition(topic, partition)
      const range = { from: batchKey(log.topicId, partition, offset), to: batchKey(log.topicId, partition, log.end) }
      const [entry] = await store.storage.scan({ ...range, limit: 1, maxBytes: 1 })
      if (entry === undefined) throw new Error('no such record')
      const batch = openBatch(log, ...entry)
      const value = encodeRecordBatch(
        batch.range,
        batch.records().filter((record) => record.offset !== offset),
      )
      await store.storage.write([{ type: 'put', key: entry[0], value }])
    },
    async crash() {
      // What was not written is lost with the process; the directory is let go of, so that it can be opened again.
      await store.storage.close()
      store = await open()
    },
    async close() {
      await store.close()
      await directory.remove()
    },
    readAhead: { fetched: () => counted.records, limit: readAhead.records + 1_000 },
  }
})

/** Whatever store it is of. */
function countOf(key: Buffer, value: Buffer): number {
  const mark = crc32(value.subarray(5)) ^ value.readUInt32BE(1) ^ versionMark(value[0] ?? 0)
  return new RecordBatch({ topic: '', partition: 0, lastOffset: batchLastOffset(key), mark }, value).count
}

function countBatches(storage: Storage, counted: { records: number }): Storage {
  return {
    get: (key) => storage.get(key),
    getText: (key) => storage.getText(key),
    async scan(request) {
      const entries = await storage.scan(request)
      for (const [key, value] of entries) {
        if (key[0] === 'r'.charCodeAt(0)) counted.records += countOf(key, value)
      }
      return entries
    },
    write: (operations) => storage.write(operations),
    clear: (range) => storage.clear(range),
    close: () => storage.close(),
  }
}
