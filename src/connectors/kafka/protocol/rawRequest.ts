import type { KafkajsBroker, RawRequest } from '../kafkajs.ts'
import { RequestWriter } from './requestWriter.ts'
import { ResponseReader } from './responseReader.ts'

/** A request of Kafka's protocol, by the numbers it has there. */
export interface Api {
  readonly key: number
  readonly version: number
  readonly name: string
}

/** Sends a request that kafkajs has not, or not rightly, over its connection, and reads the answer. */
export async function sendRaw<T>(
  broker: KafkajsBroker,
  api: Api,
  write: (writer: RequestWriter) => void,
  read: (reader: ResponseReader) => T,
  options: { readonly timeoutMs?: number; readonly answered?: boolean } = {},
): Promise<T> {
  const { answered = true, timeoutMs } = options
  const request: RawRequest = {
    request: {
      apiKey: api.key,
      apiVersion: api.version,
      apiName: api.name,
      encode: () => {
        const writer = new RequestWriter()
        write(writer)
        return Promise.resolve({ buf: writer.written, buffer: writer.written })
      },
      expectResponse: () => answered,
    },
    response: {
      decode: (bytes) => Promise.resolve(read(new ResponseReader(bytes, `The broker's answer to ${api.name}`))),
      parse: (decoded) => Promise.resolve(decoded),
    },
    ...(timeoutMs === undefined ? {} : { requestTimeout: timeoutMs }),
  }
  // `send` returns what `decode` made.
  return (await broker.connectionPool.send(request)) as T
}
