import type { KafkajsBroker } from '../client/kafkajs.ts'
import { BrokerRefusal } from '../client/kafkaErrors.ts'
import { kafkaError } from './errorCodes.ts'
import { sendRaw, speaks } from './rawRequest.ts'

/** A transaction that has written to a partition and is not ended. */
export interface OpenProducer {
  readonly producerId: bigint
  /** Offset of the first record it has written there. */
  readonly firstOffset: number
  /** When it has last written there, ms since 1970. */
  readonly lastWriteMs: number
}

export interface TransactionOfProducer {
  readonly transactionalId: string
  readonly producerId: bigint
}

const describeProducers = { key: 61, version: 0, name: 'DescribeProducers', flexible: true }
const describeTransactions = { key: 65, version: 0, name: 'DescribeTransactions', flexible: true }
const listTransactions = { key: 66, version: 0, name: 'ListTransactions', flexible: true }

/** Open transactions of a partition, asked of its leader; none where brokers (before 3.0) cannot tell. */
export async function requestOpenProducers(
  leader: KafkajsBroker,
  topic: string,
  partition: number,
): Promise<readonly OpenProducer[]> {
  if (!speaks(leader, describeProducers)) return []
  const found = await sendRaw(
    leader,
    describeProducers,
    (writer) => {
      writer
        .structures([topic], (name) => writer.string(name).array([partition], (index) => writer.int32(index)))
        .noTags()
    },
    (reader) => {
      reader.int32()
      return reader
        .structures(() => {
          reader.string()
          return reader.structures(() => {
            reader.int32()
            const error = reader.int16()
            reader.nullableString()
            const producers = reader.structures((): OpenProducer => {
              const producerId = reader.bigInt64()
              reader.take(4 + 4)
              const lastWriteMs = reader.int64()
              reader.int32()
              return { producerId, firstOffset: reader.int64(), lastWriteMs }
            })
            return { error, producers }
          })
        })
        .flat()
    },
  )
  const refused = found.find(({ error }) => error !== kafkaError.none)
  if (refused !== undefined) throw new BrokerRefusal(refused.error, `Describing the producers of ${topic}`)
  return found.flatMap(({ producers }) => producers).filter(({ firstOffset }) => firstOffset >= 0)
}

/** Transactional ids of producers, as far as this broker coordinates them and this user may see them. */
export async function requestTransactionsOf(
  coordinator: KafkajsBroker,
  producerIds: readonly bigint[],
): Promise<readonly TransactionOfProducer[]> {
  if (!speaks(coordinator, listTransactions)) return []
  return sendRaw(
    coordinator,
    listTransactions,
    (writer) => {
      writer
        .array([], () => undefined)
        .array(producerIds, (id) => writer.int64(id))
        .noTags()
    },
    (reader) => {
      reader.int32()
      const error = reader.int16()
      if (error !== kafkaError.none) throw new BrokerRefusal(error, 'Listing the transactions')
      reader.array(() => reader.string())
      return reader.structures(() => {
        const transactionalId = reader.string()
        const producerId = reader.bigInt64()
        reader.string()
        return { transactionalId, producerId }
      })
    },
  )
}

/** When a transaction was begun, ms since 1970, asked of its coordinator; null when that cannot be told. */
export async function requestTransactionStart(
  coordinator: KafkajsBroker,
  transactionalId: string,
): Promise<number | null> {
  if (!speaks(coordinator, describeTransactions)) return null
  const startMs = await sendRaw(
    coordinator,
    describeTransactions,
    (writer) => {
      writer.array([transactionalId], (id) => writer.string(id)).noTags()
    },
    (reader) => {
      reader.int32()
      // Of the one that is asked for: its error, id, state, timeout and start; the rest is of no use here.
      if (reader.count() < 1 || reader.int16() !== kafkaError.none) return -1
      reader.string()
      reader.string()
      reader.int32()
      return reader.int64()
    },
  )
  return startMs < 0 ? null : startMs
}
