import { BrokerRefusal } from '../client/kafkaErrors.ts'
import type { KafkajsBroker } from '../client/kafkajs.ts'
import { kafkaError } from './errorCodes.ts'
import { sendRaw } from './rawRequest.ts'

export interface AddPartitionsRequest {
  readonly transactionalId: string
  readonly producerId: string
  readonly producerEpoch: number
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

const api = { key: 24, version: 1, name: 'AddPartitionsToTxn' }
/** The others were not looked at, because of one that is refused. */
const notAttempted = 55

/** Adds partitions to a transaction, all or none. kafkajs' own does not say which topic is refused. */
export async function requestAddPartitions(
  coordinator: KafkajsBroker,
  { transactionalId, producerId, producerEpoch, topics }: AddPartitionsRequest,
): Promise<void> {
  const answers = await sendRaw(
    coordinator,
    api,
    (writer) => {
      writer.string(transactionalId).int64(BigInt(producerId)).int16(producerEpoch)
      writer.array(topics, ({ topic, partitions }) => {
        writer.string(topic).array(partitions, (partition) => writer.int32(partition))
      })
    },
    (reader) => {
      reader.int32()
      return reader
        .array(() => {
          const topic = reader.string()
          return reader.array(() => {
            reader.int32()
            return { topic, error: reader.int16() }
          })
        })
        .flat()
    },
  )
  const refused = answers.filter(({ error }) => error !== kafkaError.none && error !== notAttempted)
  const [first] = refused
  if (first === undefined) return
  const names = [...new Set(refused.flatMap(({ topic, error }) => (error === first.error ? [topic] : [])))]
  throw new BrokerRefusal(first.error, `Kafka refuses to add ${names.join(', ')}`, null, names)
}
