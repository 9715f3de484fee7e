import type { OutputRecord } from '../../../src/core/record.ts'
import { StreamRecord } from '../../../src/core/record.ts'
import type { EarlierRuns, JobLog, TaskListener, TaskView } from '../../../src/core/ports/jobLog.ts'
import type { EpochTransaction } from '../../../src/core/ports/commitLog.ts'
import type { TaskReader } from '../../../src/core/ports/inputs.ts'
import type { TaskLog } from '../../../src/core/ports/taskLog.ts'
import { uniqueName } from './kafkaWorld.ts'

/** The suite's topics under names of this test's own. */
export class TopicRenaming {
  readonly #suffix = uniqueName('')

  /** A write-ahead log is the job's, which has a name of its own already. */
  there(topic: string): string {
    return topic.endsWith('-wal') ? topic : `${topic}${this.#suffix}`
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
    return new StreamRecord(this.here(topic), partition, offset, timestamp, key, headers, raw, value)
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

  view(log: TaskView): TaskView {
    return {
      partition: log.partition,
      inputs: {
        topics: log.inputs.topics.map((topic) => this.here(topic)),
        topicId: (topic) => log.inputs.topicId(this.there(topic)),
        range: (topic) => log.inputs.range(this.there(topic)),
        format: log.inputs.format,
        positionAtTime: (topic, timestampMs) => log.inputs.positionAtTime(this.there(topic), timestampMs),
      },
      commitLog: { committed: async () => this.keysHere(await log.commitLog.committed()) },
      changelog: log.changelog,
    }
  }

  log(log: TaskLog): TaskLog {
    const { partition, inputs, commitLog } = this.view(log)
    return {
      partition,
      inputs: {
        ...inputs,
        lag: (topic, from, to) => log.inputs.lag(this.there(topic), from, to),
        undecided: (topic) => log.inputs.undecided(this.there(topic)),
        exists: (topic) => log.inputs.exists(this.there(topic)),
        discovered: () => Promise.resolve(false),
        read: (positions, ends) =>
          this.reader(log.inputs.read(this.keysThere(positions), ends === null ? null : this.keysThere(ends))),
      },
      commitLog: {
        ...commitLog,
        get lost() {
          return log.commitLog.lost
        },
        fence: () => log.commitLog.fence(),
        fenceEarlier: (prefix) => log.commitLog.fenceEarlier(prefix),
        begin: () => this.transaction(log.commitLog.begin()),
      },
      changelog: log.changelog,
      outputs: { refusal: (record) => log.outputs.refusal({ ...record, topic: this.there(record.topic) }) },
      writeAheadLog: log.writeAheadLog,
      close: () => log.close(),
    }
  }

  earlier(log: EarlierRuns): EarlierRuns {
    return { ...this.looks(log), changelogs: () => log.changelogs() }
  }

  looks(log: Omit<EarlierRuns, 'changelogs'>): Omit<EarlierRuns, 'changelogs'> {
    return {
      partitionCounts: this.keysHere(log.partitionCounts),
      tasks: () => log.tasks().map((task) => this.view(task)),
      control: () => log.control(),
    }
  }

  jobLog(log: JobLog): JobLog {
    return {
      ...this.looks(log),
      replaceControl: (next) => log.replaceControl(next),
      join: (listener) => log.join(this.listener(listener)),
      settled: async () => log.settled(),
      leave: () => log.leave(),
    }
  }

  listener(listener: TaskListener): TaskListener {
    return {
      assigned: (task) => {
        listener.assigned(this.log(task))
      },
      rebalancing: () => listener.rebalancing(),
      revoked: (partition) => listener.revoked(partition),
      failed: (error) => {
        listener.failed(error)
      },
    }
  }
}
