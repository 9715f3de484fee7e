import { isRight } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { explainDecode } from '../../codecs/json/explainDecode.ts'
import { TidemarkError } from '../../core/errors.ts'
import type { EmbeddedStore } from './embeddedStore.ts'

/** One call of the control socket: the codecs of both sides, and what the holder of the directory does. */
export class StoreCall<Request, Response> {
  readonly name: string
  readonly #request: t.Type<Request, unknown>
  readonly #response: t.Type<Response, unknown>
  readonly #run: (store: EmbeddedStore, request: Request) => Promise<Response>

  constructor(
    name: string,
    request: t.Type<Request, unknown>,
    response: t.Type<Response, unknown>,
    run: (store: EmbeddedStore, request: Request) => Promise<Response>,
  ) {
    this.name = name
    this.#request = request
    this.#response = response
    this.#run = run
  }

  /** The holder's side: JSON in, JSON out. Throws `invalid-argument` for a request of another shape. */
  async answer(store: EmbeddedStore, body: string): Promise<string> {
    const request = decode(this.#request, body, `The request ${this.name}`)
    return JSON.stringify(this.#response.encode(await this.#run(store, request)))
  }

  encodeRequest(request: Request): string {
    return JSON.stringify(this.#request.encode(request))
  }

  decodeResponse(body: string): Response {
    return decode(this.#response, body, `The answer to ${this.name}`)
  }
}

function decode<A>(codec: t.Type<A, unknown>, body: string, what: string): A {
  const value = parse(body)
  const decoded = codec.decode(value)
  if (isRight(decoded)) return decoded.right
  throw new TidemarkError(
    'invalid-argument',
    `${what} over the control socket has another shape: ${explainDecode(codec, value) ?? 'it is no JSON'}`,
  )
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
