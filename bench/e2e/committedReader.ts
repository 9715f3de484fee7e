import type { FetchTarget } from '../../src/connectors/kafka/read/fetchTarget.ts'
import { Fetcher } from '../../src/connectors/kafka/read/fetcher.ts'
import { KafkaCluster } from '../../src/connectors/kafka/client/kafkaCluster.ts'
import type { KafkaConfig } from '../../src/connectors/kafka/config/kafkaConfig.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import type { TidemarkError } from '../../src/core/errors.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'

/** Reads a whole topic, read_committed, from its start on, as soon as something can be seen. */
export class CommittedReader {
  readonly #cluster: KafkaCluster
  readonly #fetcher: Fetcher

  /** @param seen called with what one answer of a broker brought. */
  constructor(kafka: KafkaConfig, topic: string, partitions: number, seen: (records: readonly StreamRecord[]) => void) {
    this.#cluster = new KafkaCluster(kafka, systemClock, silentLogger)
    this.#fetcher = new Fetcher(this.#cluster, silentLogger)
    for (let partition = 0; partition < partitions; partition += 1) {
      this.#fetcher.add(new Target(topic, partition, seen))
    }
  }

  async close(): Promise<void> {
    this.#fetcher.close()
    await this.#cluster.close()
  }
}

class Target implements FetchTarget {
  readonly topic: string
  readonly partition: number
  readonly wanted = true
  readonly room = 8 * 1024 * 1024
  offset = 0
  readonly #seen: (records: readonly StreamRecord[]) => void

  constructor(topic: string, partition: number, seen: (records: readonly StreamRecord[]) => void) {
    this.topic = topic
    this.partition = partition
    this.#seen = seen
  }

  accept(records: readonly StreamRecord[], next: number): void {
    this.offset = next
    if (records.length > 0) this.#seen(records)
  }

  fail(error: TidemarkError): void {
    throw error
  }
}
