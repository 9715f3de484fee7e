import type { Clock } from '../../../src/core/ports/clock.ts'
import type { KafkaCluster } from '../../../src/connectors/kafka/client/kafkaCluster.ts'
import type { RawRequest } from '../../../src/connectors/kafka/client/kafkajs.ts'
import { RequestWriter } from '../../../src/connectors/kafka/protocol/requestWriter.ts'
import { ResponseReader } from '../../../src/connectors/kafka/protocol/responseReader.ts'

/** Reads a request's body and writes the answer's. */
export interface RawAnswer {
  (request: ResponseReader, answer: RequestWriter): void | Promise<void>
}

/**
 * A broker in memory that answers what a test says, and remembers what it was asked, in order. `methods` stands for the
 * requests that kafkajs encodes, `raw` for ours, both by name.
 */
export class FakeBroker {
  readonly asked: string[] = []
  readonly methods: Record<string, () => Promise<unknown>> = {}
  readonly raw: Record<string, RawAnswer> = {}
  closedPools = 0

  /** A cluster that has this broker alone. */
  cluster(clock: Clock): KafkaCluster {
    const broker = new Proxy(
      { connectionPool: { send: (request: RawRequest) => this.#send(request) } },
      { get: (target, name: string) => (name in target ? target[name as 'connectionPool'] : this.#method(name)) },
    )
    const found = (): Promise<unknown> => Promise.resolve(broker)
    const pool = {
      broker: found,
      distrust: () => undefined,
      close: () => {
        this.closedPools += 1
        return Promise.resolve()
      },
    }
    const cluster = {
      clock,
      connection: { requestTimeoutMs: 30_000 },
      newPool: () => pool,
      leaderBroker: found,
      coordinatorBroker: found,
      coordinatorOf: () => Promise.resolve(1),
      atCoordinator: async (_kind: string, _id: string, _what: string, request: (at: unknown) => unknown) =>
        request(broker),
      forgetCoordinator: () => undefined,
      refreshLeaders: () => {
        this.asked.push('leaders')
        return Promise.resolve()
      },
    }
    // What the producer and the member of a group use of it.
    return cluster as unknown as KafkaCluster
  }

  #method(name: string): (() => Promise<unknown>) | undefined {
    const answer = this.methods[name]
    if (answer === undefined) return undefined
    return () => {
      this.asked.push(name)
      return answer()
    }
  }

  async #send({ request, response }: RawRequest): Promise<unknown> {
    this.asked.push(request.apiName)
    const answer = this.raw[request.apiName]
    if (answer === undefined) throw new Error(`The test does not say how ${request.apiName} is answered`)
    const writer = new RequestWriter()
    await answer(new ResponseReader((await request.encode()).buf, request.apiName), writer)
    return response.decode(writer.written)
  }
}
