import { sleep, systemClock } from '../../../src/core/ports/clock.ts'
import type { CoordinatorKind } from '../../../src/connectors/kafka/client/kafkaCluster.ts'
import { sendRaw } from '../../../src/connectors/kafka/protocol/rawRequest.ts'
import type { PartitionMetadata } from '../../../src/connectors/kafka/protocol/metadata.ts'
import type { KafkaWorld } from '../../connectors/kafka/kafkaWorld.ts'

const electLeaders = { key: 43, version: 1, name: 'ElectLeaders' }
/** Answers of an election that are none of its failures: done, and nothing to do. */
const elected: ReadonlySet<number> = new Set([0, 84])
const patienceMs = 30_000
/** Until every broker has been told of a new leader. */
const tellingMs = 2_000

interface Placed extends PartitionMetadata {
  readonly topic: string
}

/** kafkajs' request for it, as far as it is used here. */
interface Reassigning {
  alterPartitionReassignments(request: {
    readonly topics: readonly {
      readonly topic: string
      readonly partitionAssignment: readonly { readonly partition: number; readonly replicas: readonly number[] }[]
    }[]
  }): Promise<unknown>
}

/** Who leads what in a cluster of several brokers, and how that is changed. */
export class Leaders {
  readonly #world: KafkaWorld

  constructor(world: KafkaWorld) {
    this.#world = world
  }

  /**
   * Gives every partition another leader, the next of its replicas, those of the coordinators' own topics included: so
   * groups and transactional ids change their coordinators as well. Resolves with how many leaders have changed.
   */
  async move(): Promise<number> {
    const before = await this.#partitions()
    const orders = before.map(({ topic, partition, replicas, leader }) => {
      const next = replicas.indexOf(leader ?? -1) + 1
      return { topic, partition, leader, replicas: [...replicas.slice(next), ...replicas.slice(0, next)] }
    })
    const topics = [...Map.groupBy(orders, ({ topic }) => topic)].map(([topic, partitionAssignment]) => ({
      topic,
      partitionAssignment,
    }))
    await this.#patiently(async () => {
      const broker: unknown = await this.#world.cluster.any()
      await (broker as Reassigning).alterPartitionReassignments({ topics })
    })
    await this.#patiently(() => this.#electPreferred())
    const untilMs = systemClock.monotonicMs() + tellingMs
    for (;;) {
      const found = new Map((await this.#partitions()).map((now) => [nameOf(now), now.leader]))
      const moved = orders.filter((order) => found.get(nameOf(order)) === order.replicas[0])
      if (moved.length === orders.length || systemClock.monotonicMs() > untilMs) return moved.length
      await sleep(systemClock, 20)
    }
  }

  /** The node that coordinates this, asked anew. */
  coordinator(kind: CoordinatorKind, id: string): Promise<number> {
    const { cluster } = this.#world
    cluster.forgetCoordinator(kind, id)
    return this.#patiently(() => cluster.coordinatorOf(kind, id))
  }

  /** Whether every replica of every partition has everything: only then may the next broker go. */
  async inSync(): Promise<boolean> {
    return (await this.#partitions()).every(
      ({ inSync, replicas, leader }) => leader !== null && inSync.length === replicas.length,
    )
  }

  /** Resolves when everything that a node has led has another leader, as the brokers that are left tell it. */
  async ledWithout(node: number): Promise<void> {
    while ((await this.#partitions()).some(({ leader }) => leader === null || leader === node)) {
      await sleep(systemClock, 20)
    }
  }

  async #partitions(): Promise<readonly Placed[]> {
    const { topics } = await this.#patiently(() => this.#world.cluster.metadata(null))
    return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ ...partition, topic })))
  }

  async #electPreferred(): Promise<void> {
    const broker = await this.#world.cluster.any()
    const codes = await sendRaw(
      broker,
      electLeaders,
      (writer) => {
        // Of the preferred replica, for all partitions.
        writer.int8(0).int32(-1).int32(10_000)
      },
      (reader) => {
        reader.int32()
        const error = reader.int16()
        const partitions = reader.array(() => {
          reader.string()
          return reader.array(() => {
            reader.int32()
            const code = reader.int16()
            reader.nullableString()
            return code
          })
        })
        return [error, ...partitions.flat()]
      },
    )
    const refused = codes.find((code) => !elected.has(code))
    if (refused !== undefined) throw new Error(`An election failed with ${String(refused)}`)
  }

  /** While brokers come and go, a request may fail that succeeds a moment later. */
  async #patiently<T>(request: () => Promise<T>): Promise<T> {
    const untilMs = systemClock.monotonicMs() + patienceMs
    for (;;) {
      try {
        return await request()
      } catch (error) {
        if (systemClock.monotonicMs() > untilMs) throw error
        await sleep(systemClock, 200)
      }
    }
  }
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${String(partition)}`
}
