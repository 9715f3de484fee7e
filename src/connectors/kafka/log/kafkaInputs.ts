import { beganBefore } from '../../../core/commitMetadata.ts'
import { TidemarkError } from '../../../core/errors.ts'
import {
  offsetFormat,
  offsetOf,
  offsetPosition,
  offsetPositions,
  offsetsBetween,
} from '../../../core/offsetPosition.ts'
import type { TaskInputs } from '../../../core/ports/inputs.ts'
import type { Position, PositionRange, Positions } from '../../../core/ports/position.ts'
import { inputGoneInKafka, isGone } from './inputTopics.ts'
import { kafkaUnreachable } from '../client/kafkaErrors.ts'
import { KafkaReader } from '../read/kafkaReader.ts'
import type { KafkaTaskSpec, TaskLogShared } from './taskLogShared.ts'
import { wholeMetadata, type OwnFacts } from './offsetMetadata.ts'
import { readGroupOffsets } from '../group/groupOffsets.ts'
import type { FetchedOffset } from '../protocol/offsetFetch.ts'
import type { Place } from '../write/recordPlacement.ts'
import { readOffsetAtTime, readRange, readUndecided } from '../read/partitionOffsets.ts'

/** The inputs of one task: its partition of each topic. */
export class KafkaInputs implements TaskInputs {
  readonly topics: readonly string[]
  readonly format = offsetFormat
  readonly #shared: TaskLogShared
  readonly #partition: number
  #reader: KafkaReader | null = null
  #held = false
  /** As of the last look. */
  #topicIds = new Map<string, string>()
  /** Of the committed positions. */
  #leaderEpochs: ReadonlyMap<string, number> = new Map()

  constructor(shared: TaskLogShared, { task, topics }: KafkaTaskSpec) {
    this.topics = topics
    this.#shared = shared
    this.#partition = task.partition
  }

  /** From here on these topics are meant, not whichever has their name; they are read from what is committed of them. */
  async lookUp(committed: ReadonlyMap<string, OwnFacts>): Promise<void> {
    this.#leaderEpochs = new Map(
      [...committed].flatMap(([topic, { leaderEpoch }]) => (leaderEpoch === undefined ? [] : [[topic, leaderEpoch]])),
    )
    const { topics } = await this.#shared.cluster.metadata(this.topics)
    this.#topicIds = new Map(topics.flatMap(({ topic, id }) => (id === null ? [] : [[topic, id]])))
  }

  /** What is to be committed of each input beside its position, as of now. */
  facts(): ReadonlyMap<string, OwnFacts> {
    const leaderEpochs = this.#reader?.leaderEpochs() ?? this.#leaderEpochs
    return new Map(
      this.topics.map((topic) => [topic, { topicId: this.#topicIds.get(topic), leaderEpoch: leaderEpochs.get(topic) }]),
    )
  }

  topicId(topic: string): string | null {
    return this.#topicIds.get(topic) ?? null
  }

  /** One that the job keeps for itself is none that it reads; an earlier version may have read it. */
  async exists(topic: string): Promise<boolean> {
    return !this.#shared.ownTopics.has(topic) && !(await isGone(this.#shared.cluster, topic))
  }

  async range(topic: string): Promise<PositionRange> {
    try {
      return offsetPositions(await readRange(this.#shared.cluster, topic, this.#partition))
    } catch (error) {
      if (!(error instanceof TidemarkError && error.code === 'unknown-topic')) throw error
      if (!this.#shared.missing(topic)) throw inputGoneInKafka(topic)
      throw kafkaUnreachable(`Topic ${topic} was deleted; the tasks are dealt out without it`, error)
    }
  }

  async lag(topic: string, from: Position, to?: Position): Promise<number> {
    return offsetsBetween(from, to ?? (await this.range(topic)).end)
  }

  undecided(topic: string): Promise<number> {
    return readUndecided(this.#shared.cluster, topic, this.#partition)
  }

  /** By what all tasks of the group have committed. */
  async discovered(topic: string): Promise<boolean> {
    const { cluster, groupId } = this.#shared
    return isDiscovered(await readGroupOffsets(cluster, groupId), { topic, partition: this.#partition })
  }

  async positionAtTime(topic: string, timestampMs: number): Promise<Position> {
    const { end } = await this.range(topic)
    const found = await readOffsetAtTime(this.#shared.cluster, topic, this.#partition, timestampMs)
    return found === null ? end : offsetPosition(Math.min(found, offsetOf(end)))
  }

  read(positions: Positions, ends: Positions | null): KafkaReader {
    this.close()
    this.#reader = new KafkaReader({
      ...this.#shared,
      partition: this.#partition,
      positions,
      ends,
      topicIds: this.#topicIds,
      leaderEpochs: this.#leaderEpochs,
    })
    if (this.#held) this.#reader.hold()
    return this.#reader
  }

  /** Nothing more is handed out until `release`. */
  hold(): void {
    this.#held = true
    this.#reader?.hold()
  }

  release(): void {
    this.#held = false
    this.#reader?.release()
  }

  close(): void {
    this.#reader?.close()
    this.#reader = null
  }
}

/** Whether a job had begun before a topic had this partition, by what the group has committed. */
export function isDiscovered(committed: readonly FetchedOffset[], { topic, partition }: Place): boolean {
  const texts = [...Map.groupBy(committed, (offset) => offset.partition)].flatMap(([task, offsets]) => {
    const whole = wholeMetadata(new Map(offsets.map((offset) => [offset.topic, offset])))
    return [...whole.values()].map(({ metadata }) => ({ task, metadata }))
  })
  return beganBefore(texts, topic, partition)
}
