import { request as httpRequest } from 'node:http'
import { parseTableDefinition } from '../../../tables/parseTableDefinition.ts'
import type { Row } from '../../../tables/row.ts'
import type { RowRequest } from '../../../tables/rowLookup.ts'
import { sleep, type Clock } from '../../../core/ports/clock.ts'
import { codeOf, TidemarkError, messageOf } from '../../../core/errors.ts'
import type { LookupOutcome } from '../../../core/ports/lookup.ts'
import { recordBytes, type OutputRecord } from '../../../core/record.ts'
import type { ListedOffset } from '../store/committedOffsets.ts'
import type { RowPage } from '../../../core/ports/tables.ts'
import type { RecordPage, TopicDescription, TopicOptions, TopicPageRequest } from '../../../core/ports/topics.ts'
import { decodeHolder, type Holder } from './holder.ts'
import { partsOf } from '../store/partsOf.ts'
import { prepareTable, rowParts, type DefinedTable } from '../store/tableStore.ts'
import type { StoreAccess } from './storeAccess.ts'
import { storeCalls, type StoreCall } from './storeCalls.ts'
import { describeHolderPath } from './storeServer.ts'
import { exactJson, fromWireError, fromWireRecord, wireError } from './wireCodecs.ts'
import { maxBodyBytes, maxShortAnswerBytes, parseWire } from './wireLimits.ts'

/** Raw bytes of the records or rows of one request or answer: it takes the other process's time, where a job may run. */
const requestBytes = 1024 * 1024
const defaultTimeoutMs = 30_000
/** For how long, and how often, a holder that has others to answer is asked again. */
const busyPatienceMs = 5_000
const busyDelayMs = 50
/** Of an answer: holders of an earlier version put more into one than those of this version. */
const mostAnswerBytes = 2 * maxBodyBytes

type Asked = Pick<StoreCall<unknown, unknown>, 'name' | 'kind'>

/** What is taken of an answer, and for how long it is waited for. */
interface Patience {
  readonly timeoutMs: number
  readonly maxBytes: number
}

/** The holder did not take the request: it has gone, or is closing. Asking again, or opening the directory, is safe. */
export class HolderGone extends TidemarkError {
  constructor(reason: string) {
    super('system-unreachable', `The process that holds the data directory does not answer: ${reason}`)
  }
}

/** The holder has too many others to answer, and has not begun this request. */
export class HolderBusy extends HolderGone {}

/** The embedded store of another process, asked over its control socket. */
export class StoreClient implements StoreAccess {
  readonly #socket: string
  readonly #clock: Clock
  #answers = 0

  constructor(socket: string, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
  }

  /** Calls that the holder has answered so far. */
  get answers(): number {
    return this.#answers
  }

  /** Who answers; `busy` when somebody is there and has too many others; null when nobody answers within the timeout. */
  async holder(timeoutMs: number): Promise<Holder | 'busy' | null> {
    try {
      const patience = { timeoutMs, maxBytes: maxShortAnswerBytes }
      return decodeHolder(await this.#post({ name: describeHolderPath.slice(1), kind: 'list' }, '', patience))
    } catch (error) {
      return error instanceof HolderBusy ? 'busy' : null
    }
  }

  createTopic(name: string, options: TopicOptions = {}): Promise<TopicDescription> {
    const { partitions, maxMessageBytes } = options
    const given = {
      ...(partitions === undefined ? {} : { partitions }),
      ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
    }
    return this.#ask(storeCalls.createTopic, { name, options: given })
  }

  listTopics({ internal = false }: { readonly internal?: boolean } = {}): Promise<readonly TopicDescription[]> {
    return this.#ask(storeCalls.listTopics, { internal })
  }

  describeTopic(name: string): Promise<TopicDescription> {
    return this.#ask(storeCalls.describeTopic, { name })
  }

  async append(records: readonly OutputRecord[]): Promise<number> {
    for (const part of partsOf(records, requestBytes, recordBytes)) await this.#ask(storeCalls.append, part)
    return records.length
  }

  async readPage(request: TopicPageRequest): Promise<RecordPage> {
    const maxBytes = Math.min(request.maxBytes ?? requestBytes, requestBytes)
    const { records, next, end } = await this.#ask(storeCalls.readPage, { ...request, maxBytes })
    return { records: records.map((record) => fromWireRecord(request.topic, request.partition, record)), next, end }
  }

  committedOffsets(group: string): Promise<readonly ListedOffset[]> {
    return this.#ask(storeCalls.committedOffsets, { group })
  }

  listTables(): Promise<readonly DefinedTable[]> {
    return this.#ask(storeCalls.listTables, {})
  }

  async loadTable(json: unknown): Promise<number> {
    const prepared = prepareTable(json)
    for (const part of rowParts(prepared, requestBytes)) {
      const rows = part.map(({ encoded }) => encoded)
      await this.#ask(storeCalls.loadRows, { definition: prepared.definition, rows })
    }
    return prepared.rows.length
  }

  readTable(
    keyspace: string,
    table: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<RowPage> {
    return this.#ask(storeCalls.readTable, { keyspace, table, ...page })
  }

  async getRow(request: RowRequest): Promise<LookupOutcome<Row>> {
    const outcome = await this.#ask(storeCalls.getRow, { request: exactJson(request) })
    if (outcome.kind === 'error') return { kind: 'error', error: fromWireError(outcome.error) }
    if (outcome.kind === 'miss') return outcome
    const { keyspace, table, encoded } = outcome
    const found = (await this.listTables()).find((other) => other.keyspace === keyspace && other.table === table)
    if (found === undefined) throw new TidemarkError('broken-invariant', 'A table has gone while it was read')
    return { kind: 'hit', result: { schema: parseTableDefinition(parseWire(found.definition)).schema, encoded } }
  }

  async #ask<Request, Response>(call: StoreCall<Request, Response>, request: Request): Promise<Response> {
    const asked = call.encodeRequest(request)
    if (Buffer.byteLength(asked) > maxBodyBytes) throw tooLargeToAsk(call.name)
    const body = await this.#postWhenTaken(call, asked)
    this.#answers += 1
    return call.decodeResponse(body)
  }

  /** An act that is half done is not given up because the holder has others to answer just now; `withStore` begins the rest. */
  async #postWhenTaken(call: Asked, asked: string): Promise<string> {
    const beganMs = this.#clock.monotonicMs()
    for (;;) {
      try {
        return await this.#post(call, asked, { timeoutMs: defaultTimeoutMs, maxBytes: mostAnswerBytes })
      } catch (error) {
        const isOver = this.#answers === 0 || this.#clock.monotonicMs() - beganMs >= busyPatienceMs
        if (isOver || !(error instanceof HolderBusy)) throw error
      }
      await sleep(this.#clock, busyDelayMs)
    }
  }

  /** A connection a call: so a request that was not taken can be told from one whose answer was lost. */
  #post(call: Asked, body: string, { timeoutMs, maxBytes }: Patience): Promise<string> {
    return new Promise((resolve, reject) => {
      let hasAnswer = false
      const options = { socketPath: this.#socket, path: `/${call.name}`, method: 'POST', agent: false }
      const request = httpRequest(options, (response) => {
        hasAnswer = true
        const chunks: Buffer[] = []
        const most = response.statusCode === 200 ? maxBytes : maxShortAnswerBytes
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > most) request.destroy(new Error(`the answer has more than ${String(most)} bytes`))
          else chunks.push(chunk)
        })
        response.on('error', fail)
        response.on('end', () => {
          timer.cancel()
          const text = Buffer.concat(chunks).toString()
          if (response.statusCode === 200) resolve(text)
          else if (response.statusCode === 503) reject(new HolderGone('it is closing'))
          else if (response.statusCode === 429) reject(new HolderBusy('it answers too many others'))
          else reject(decodeError(text))
        })
      })
      const timer = this.#clock.after(timeoutMs, () =>
        request.destroy(new Error(`no answer within ${String(timeoutMs)} ms`)),
      )
      function fail(error: Error): void {
        timer.cancel()
        if (codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ENOENT') reject(new HolderGone(messageOf(error)))
        else if (!hasAnswer && isCut(error) && (call.kind !== 'write' || isCutInRequest(error)))
          reject(new HolderBusy(`it cut the connection: ${messageOf(error)}`))
        else reject(lostAnswer(call, error))
      }
      request.on('error', fail)
      request.end(body)
    })
  }
}

function decodeError(text: string): TidemarkError {
  try {
    const value = parseWire(text)
    if (wireError.is(value)) return fromWireError(value)
  } catch {
    // Not ours, as it seems.
  }
  return new TidemarkError('system-unreachable', 'The control socket answered something else', { retriable: false })
}

function tooLargeToAsk(call: string): TidemarkError {
  return new TidemarkError(
    'invalid-argument',
    `A job holds the data directory, and over its control socket ${call} takes at most ${String(maxBodyBytes)} bytes, a record in base64. Stop the job, and write larger records then`,
  )
}

/** The other side closed the connection. */
function isCut(error: Error): boolean {
  return codeOf(error) === 'EPIPE' || codeOf(error) === 'ECONNRESET'
}

/**
 * It did so before it had read the whole request, so nothing of it can have been done: a write that fails has left bytes
 * behind, and a local socket is reset only where it was closed with bytes unread. Where it was closed behind the last byte,
 * there is no failed system call, and Node says `socket hang up`.
 */
function isCutInRequest(error: Error): boolean {
  return 'syscall' in error && (error.syscall === 'write' || error.syscall === 'read')
}

function lostAnswer({ name, kind }: Asked, cause: Error): TidemarkError {
  const remedy =
    kind === 'write' ? 'What was written is whole or not there at all; look before writing it again' : 'Ask again'
  const message = `The process that holds the data directory was asked ${name} and its answer was lost: ${messageOf(cause)}. ${remedy}`
  return new TidemarkError('system-unreachable', message, { cause, retriable: false })
}
