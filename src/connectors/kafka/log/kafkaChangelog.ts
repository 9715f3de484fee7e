import { changelogEntry } from '../../../core/changelogRecords.ts'
import type { ChangelogEntry, OffsetRange, TaskChangelog } from '../../../core/ports/changelog.ts'
import { visibleRange } from '../../../core/visibleRange.ts'
import type { TaskLogShared } from './taskLogShared.ts'
import { readRange, readWrittenEnd } from '../read/partitionOffsets.ts'
import { readPartition } from '../read/readPartition.ts'

/** The changelog of one task: its partition of the changelog topic. */
export class KafkaChangelog implements TaskChangelog {
  /** Where it ends after the last commit that is known of. */
  committedEnd = 0
  readonly #shared: TaskLogShared
  readonly #partition: number

  constructor(shared: TaskLogShared, partition: number) {
    this.#shared = shared
    this.#partition = partition
  }

  range(): Promise<OffsetRange> {
    const { cluster, changelogTopic, clock } = this.#shared
    return visibleRange(clock, this.committedEnd, {
      range: () => readRange(cluster, changelogTopic, this.#partition),
      writtenEnd: () => readWrittenEnd(cluster, changelogTopic, this.#partition),
    })
  }

  async *read(from: number, to: number): AsyncGenerator<readonly ChangelogEntry[], void> {
    // Behind the last commit stands its marker.
    if (from >= this.committedEnd && to <= this.committedEnd + 1 && from > 0) return
    const { start, end } = await this.range()
    const { fetcher, changelogTopic: topic } = this.#shared
    const place = { topic, partition: this.#partition }
    for await (const records of readPartition(fetcher, place, Math.max(start, from), Math.min(to, end))) {
      yield records.map(changelogEntry)
    }
  }

  /** Kafka compacts by itself. Entries of older generations are never read, and stay until the topic is deleted. */
  compact(): Promise<void> {
    return Promise.resolve()
  }
}
