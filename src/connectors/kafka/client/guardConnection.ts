import type { Socket } from 'node:net'
import { messageOf } from '../../../core/errors.ts'
import type { Clock, Timer } from '../../../core/ports/clock.ts'
import { FrameReader, NotKafka } from '../protocol/frameReader.ts'

/** A request of kafkajs, sent or waiting. */
interface SocketRequest {
  readonly requestTimeout: number
  send(): void
  timeoutRequest(): void
}

/** What waits for its answer on one connection of kafkajs, and what waits to be sent. */
interface RequestQueue {
  readonly requestTimeout: number
  readonly inflight: ReadonlyMap<number, SocketRequest>
  readonly pending: readonly unknown[]
  createSocketRequest(pushed: unknown): SocketRequest
  scheduleRequestTimeoutCheck(): void
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
  canSendSocketRequestImmediately(): boolean
  maybeThrottle(throttleMs: number | null | undefined): void
  fulfillRequest(answer: { readonly size: number; readonly correlationId: number; readonly payload: Buffer }): void
  isConnected(): boolean
  destroy(): void
}

/** One socket of kafkajs to a broker. */
export interface KafkajsConnection {
  readonly socket?: Socket
  isConnected(): boolean
  connect(): Promise<unknown>
  disconnect(): Promise<unknown>
  rejectRequests(error: Error): void
  processData(data: Buffer): void
  sendAuthRequest(request: unknown): Promise<unknown>
  /** Set while an answer to authentication is waited for. */
  readonly authHandlers: { onSuccess(frame: Buffer): void; onError(): void } | null
  /** False: the answer comes without a length before it. */
  readonly authExpectResponse: boolean
  readonly requestQueue: RequestQueue
}

/** How often it is looked for requests that have not been answered in time, at most. */
const timeoutCheckMs = 100
/** Kafka answers every request with a number of 32 bits at least. */
const correlationBytes = 4

/**
 * Puts right what kafkajs' connections get wrong. What a peer sends is read with bounds, and whatever it throws ends the
 * connection and its requests, not the process. What is left of a broken connection does not reach the next one. Timeouts
 * and throttling go by the monotonic clock, and hold for authentication as well.
 */
export function guardConnection(connection: KafkajsConnection, clock: Clock): void {
  boundWhatComes(connection)
  endAuthentication(connection, clock)
  timeByMonotonicClock(connection.requestQueue, clock)
}

function boundWhatComes(connection: KafkajsConnection): void {
  let socket: Socket | undefined
  let frames = new FrameReader()
  connection.processData = (data) => {
    if (connection.socket !== socket) {
      socket = connection.socket
      frames = new FrameReader()
    }
    try {
      if (connection.authHandlers !== null && !connection.authExpectResponse) connection.authHandlers.onSuccess(data)
      else
        frames.read(data, (frame) => {
          answered(connection, frame)
        })
    } catch (error) {
      refuse(connection, error)
    }
  }
}

/** @param frame with its length before it. */
function answered({ authHandlers, requestQueue }: KafkajsConnection, frame: Buffer): void {
  if (authHandlers !== null) {
    authHandlers.onSuccess(frame)
    return
  }
  const body = frame.subarray(FrameReader.lengthBytes)
  if (body.length < correlationBytes) throw new NotKafka(frame)
  requestQueue.fulfillRequest({
    size: body.length,
    correlationId: body.readInt32BE(0),
    payload: body.subarray(correlationBytes),
  })
}

function refuse(connection: KafkajsConnection, error: unknown): void {
  const { socket } = connection
  connection.rejectRequests(error instanceof Error ? error : new Error(messageOf(error)))
  socket?.destroy()
  connection.disconnect().catch(() => undefined)
}

/** kafkajs forgets authentication when a connection breaks, and waits for its answers without an end. */
function endAuthentication(connection: KafkajsConnection, clock: Clock): void {
  const reject = connection.rejectRequests.bind(connection)
  connection.rejectRequests = (error) => {
    connection.authHandlers?.onError()
    reject(error)
  }
  const send = connection.sendAuthRequest.bind(connection)
  connection.sendAuthRequest = (request) => {
    const sent = send(request)
    const handlers = connection.authHandlers
    const timer = clock.after(connection.requestQueue.requestTimeout, () => {
      if (connection.authHandlers === handlers) handlers?.onError()
    })
    return sent.finally(() => {
      timer.cancel()
    })
  }
}

/** As kafkajs has it, but for the clock: its own goes by the time of day, which is set now and then. */
function timeByMonotonicClock(queue: RequestQueue, clock: Clock): void {
  const sentMs = new WeakMap<SocketRequest, number>()
  let throttledUntilMs = -Infinity
  let check: Timer | null = null
  let waiting: Timer | null = null

  const create = queue.createSocketRequest.bind(queue)
  queue.createSocketRequest = (pushed) => {
    const request = create(pushed)
    const send = request.send.bind(request)
    request.send = () => {
      sentMs.set(request, clock.monotonicMs())
      send()
    }
    return request
  }
  const look = (): void => {
    const now = clock.monotonicMs()
    for (const request of [...queue.inflight.values()]) {
      if (now - (sentMs.get(request) ?? now) > request.requestTimeout) request.timeoutRequest()
    }
    check = queue.isConnected() ? clock.after(Math.min(queue.requestTimeout, timeoutCheckMs), look) : null
  }
  queue.scheduleRequestTimeoutCheck = () => {
    check?.cancel()
    check = clock.after(Math.min(queue.requestTimeout, timeoutCheckMs), look)
  }
  queue.maybeThrottle = (throttleMs) => {
    if (typeof throttleMs !== 'number' || throttleMs <= 0) return
    throttledUntilMs = Math.max(throttledUntilMs, clock.monotonicMs() + throttleMs)
  }
  queue.canSendSocketRequestImmediately = () => clock.monotonicMs() >= throttledUntilMs
  // kafkajs sets this timer after every answer; only waiting requests need one.
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length === 0 || waiting !== null) return
    waiting = clock.after(Math.max(1, throttledUntilMs - clock.monotonicMs()), () => {
      waiting = null
      queue.checkPendingRequests()
    })
  }
  const destroy = queue.destroy.bind(queue)
  queue.destroy = () => {
    check?.cancel()
    waiting?.cancel()
    check = null
    waiting = null
    destroy()
  }
}
