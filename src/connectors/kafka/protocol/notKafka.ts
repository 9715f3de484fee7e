import { foreignPeer } from '../../../core/foreignPeer.ts'

/** What came is no answer of a Kafka broker. */
export class NotKafka extends Error {
  override readonly name = 'NotKafka'

  /** @param bytes from the beginning of the answer on, where these are not what they should be. */
  constructor(bytes: Buffer = Buffer.alloc(0)) {
    const peer = foreignPeer(bytes)
    super(`what answers is no Kafka broker${peer === null ? '' : ` but ${peer}`}`)
  }
}
