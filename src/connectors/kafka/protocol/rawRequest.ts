import type { KafkajsBroker, RawRequest } from '../client/kafkajs.ts'
import { RequestWriter } from './requestWriter.ts'
import { ResponseReader } from './responseReader.ts'

/** A request of Kafka's protocol, by the numbers it has there. */
export interface Api {
  readonly key: number
  readonly version: number
  readonly name: string
  /** Whether request and answer are in the "flexible" encoding, whose headers have tagged fields. Default: no. */
  readonly flexible?: boolean
}

/** Whether a broker knows that version of a request. */
export function speaks({ versions }: KafkajsBroker, { key, version }: Pick<Api, 'key' | 'version'>): boolean {
  const range = versions?.[key]
  return range !== undefined && range.minVersion <= version && version <= range.maxVersion
}

/** Sends a request that kafkajs has not, or not rightly, over its connection, and reads the answer. */
export async function sendRaw<T>(
  broker: KafkajsBroker,
  api: Api,
  write: (writer: RequestWriter) => void,
  read: (reader: ResponseReader) => T,
  { timeoutMs }: { readonly timeoutMs?: number } = {},
): Promise<T> {
  const { flexible = false } = api
  const request: RawRequest = {
    request: {
      apiKey: api.key,
      apiVersion: api.version,
      apiName: api.name,
      encode: () => {
        const writer = new RequestWriter(flexible).noTags()
        write(writer)
        return Promise.resolve({ buf: writer.written, buffer: writer.written })
      },
    },
    response: {
      decode: async (bytes) => {
        const reader = new ResponseReader(bytes, `The broker's answer to ${api.name}`, flexible)
        reader.skipTags()
        return read(reader)
      },
      parse: (decoded) => Promise.resolve(decoded),
    },
    ...(timeoutMs === undefined ? {} : { requestTimeout: timeoutMs }),
  }
  // `send` returns what `decode` made.
  return (await broker.connectionPool.send(request)) as T
}
