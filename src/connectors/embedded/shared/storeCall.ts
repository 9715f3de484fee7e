import { isRight } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { explainDecode } from '../../../codecs/json/explainDecode.ts'
import { TidemarkError } from '../../../core/errors.ts'
import type { EmbeddedStore } from '../store/embeddedStore.ts'
import { parseWire } from './wireLimits.ts'

/**
 * What a call does: `write` changes the store, so that asking again may do it twice; `list` reads what is short, names and
 * numbers; `read` reads records or rows, whose answer may be as long as any.
 */
export type CallKind = 'write' | 'list' | 'read'

/** One call of the control socket: the codecs of both sides, and what the holder of the directory does. */
export class StoreCall<Request, Response> {
  readonly name: string
  readonly kind: CallKind
  readonly #request: t.Type<Request, unknown>
  readonly #response: t.Type<Response, unknown>
  readonly #run: (store: EmbeddedStore, request: Request) => Promise<Response>

  constructor(
    kind: CallKind,
    name: string,
    request: t.Type<Request, unknown>,
    response: t.Type<Response, unknown>,
    run: (store: EmbeddedStore, request: Request) => Promise<Response>,
  ) {
    this.kind = kind
    this.name = name
    this.#request = request
    this.#response = response
    this.#run = run
  }

  /** The holder's side: JSON in, JSON out. Throws `invalid-argument` for a request of another shape. */
  async answer(store: EmbeddedStore, body: string): Promise<string> {
    const request = decode(this.#request, parseWire(body), `The request ${this.name}`)
    return JSON.stringify(this.#response.encode(await this.#run(store, request)))
  }

  encodeRequest(request: Request): string {
    return JSON.stringify(this.#request.encode(request))
  }

  decodeResponse(body: string): Response {
    const what = `The answer to ${this.name}`
    const value = parseWire(body)
    // Looked at first: of many wrong members it names one, where `decode` would make an error of each.
    const wrong = explainDecode(this.#response, value)
    if (wrong !== undefined) throw otherShape(what, wrong)
    return decode(this.#response, value, what)
  }
}

function decode<A>(codec: t.Type<A, unknown>, value: unknown, what: string): A {
  const decoded = codec.decode(value)
  if (isRight(decoded)) return decoded.right
  throw otherShape(what, explainDecode(codec, value))
}

function otherShape(what: string, why = 'it is no JSON'): TidemarkError {
  return new TidemarkError('invalid-argument', `${what} over the control socket has another shape: ${why}`)
}
