import type { OutputRecord, StreamRecord } from '../../../src/core/record.ts'
import { StreamRecord as StreamRecordClass } from '../../../src/core/record.ts'
import type { EpochTransaction, TaskLog, TaskReader } from '../../../src/core/taskLog.ts'
import { taskLogConformance, type TaskLogWorld } from '../../conformance/taskLog.ts'
import { describeWithServers } from '../../support/realServers.ts'
import { KafkaWorld, TestOwner, testConfig, uniqueName } from './kafkaWorld.ts'

/** The suite's topics under names of this test's own. */
class Renaming {
  readonly #suffix = uniqueName('')

  there(topic: string): string {
    return `${topic}${this.#suffix}`
  }

  here(topic: string): string {
    return topic.endsWith(this.#suffix) ? topic.slice(0, -this.#suffix.length) : topic
  }

  keysThere<T>(map: ReadonlyMap<string, T>): Map<string, T> {
    return new Map([...map].map(([topic, value]) => [this.there(topic), value]))
  }

  keysHere<T>(map: ReadonlyMap<string, T>): Map<string, T> {
    return new Map([...map].map(([topic, value]) => [this.here(topic), value]))
  }

  record(record: StreamRecord): StreamRecord {
    const { topic, partition, offset, timestamp, key, headers, raw, value } = record
    return new StreamRecordClass(this.here(topic), partition, offset, timestamp, key, headers, raw, value)
  }

  output(record: OutputRecord): OutputRecord {
    return { ...record, topic: this.there(record.topic) }
  }

  reader(reader: TaskReader): TaskReader {
    return {
      next: () => {
        const record = reader.next()
        return record === undefined ? undefined : this.record(record)
      },
      get readable() {
        return reader.readable
      },
      get done() {
        return reader.done
      },
      positions: () => this.keysHere(reader.positions()),
      whenReadable: (callback) => {
        reader.whenReadable(callback)
      },
      get failure() {
        return reader.failure
      },
      close: () => {
        reader.close()
      },
    }
  }

  transaction(transaction: EpochTransaction): EpochTransaction {
    return {
      send: (record, guarantee) => {
        transaction.send(this.output(record), guarantee)
      },
      get bytes() {
        return transaction.bytes
      },
      prepare: (changelog) => transaction.prepare(changelog),
      commit: (positions, metadata) => transaction.commit(this.keysThere(positions), metadata),
      abort: () => transaction.abort(),
    }
  }

  log(log: TaskLog): TaskLog {
    return {
      partition: log.partition,
      topics: log.topics.map((topic) => this.here(topic)),
      fence: () => log.fence(),
      committed: async () => this.keysHere(await log.committed()),
      range: (topic) => log.range(this.there(topic)),
      offsetAtTime: (topic, timestampMs) => log.offsetAtTime(this.there(topic), timestampMs),
      read: (positions, ends) =>
        this.reader(log.read(this.keysThere(positions), ends === null ? null : this.keysThere(ends))),
      begin: () => this.transaction(log.begin()),
      maxRecordBytes: (topic) => log.maxRecordBytes(this.there(topic)),
      changelogRange: () => log.changelogRange(),
      readChangelog: (from, to) => log.readChangelog(from, to),
      compactChangelog: (keep) => log.compactChangelog(keep),
      close: () => log.close(),
    }
  }
}

describeWithServers('Kafka', ['kafka'], (servers) => {
  taskLogConformance(
    'Kafka',
    async (): Promise<TaskLogWorld> => {
      const names = new Renaming()
      const world = new KafkaWorld(servers.kafka())
      const job = uniqueName('job')
      for (const topic of ['orders', 'payments', 'results', 'dead']) await world.createTopic(names.there(topic), 2)
      const config = testConfig(servers.kafka())
      let owner = new TestOwner(config)
      const owners = [owner]
      const topics = ['orders', 'payments'].map((topic) => names.there(topic))
      return {
        taskLog: async (partition) => names.log(await owner.taskLog({ job, topics, partition })),
        append: (records) => world.append(records.map((record) => names.output(record))),
        readAll: async (topic, partition) =>
          (await world.readAll(names.there(topic), partition)).map((record) => names.record(record)),
        crash: async () => {
          // Its sockets are gone and nothing is said to anybody, as after kill -9.
          await owner.close()
          owner = new TestOwner(config)
          owners.push(owner)
        },
        close: async () => {
          await Promise.all([...owners.map((each) => each.close()), world.close()])
        },
      }
    },
    { marker: 1, compactsWhenAsked: false },
  )
})
