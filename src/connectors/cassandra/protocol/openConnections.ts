import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../../../core/ports/clock.ts'
import { driverPrototype } from './driverPrototype.ts'
import { FrameBounds } from './frameBounds.ts'

/*
 * Closes what cassandra-driver leaves open. It gives up a connection without closing it when the start on it fails after
 * the first answer, keeps the timers of one whose start timed out for a minute, and does not notice one that the server
 * closes before the start is over. What a peer sends that is not of the protocol is nobody's to catch, and would end the
 * process: here it ends the connection. For the clients that ask for it, `Connection.open` and `bindSocketListeners` are
 * wrapped; the others in the process are left alone. Checked against the pinned version of the driver by the tests of
 * `DriverSession`.
 */

/** What is used of the driver's connection. */
interface DriverConnection {
  readonly options: { readonly encoding: Readonly<Record<string, unknown>> }
  readonly connected: boolean
  readonly netClient: Socket
  /** Set by `bindSocketListeners`: cuts what comes into frames, and reads these. */
  readonly protocol: Duplex & { readItems(chunk: Buffer): void }
  readonly parser: Duplex
  _idleTimeout: NodeJS.Timeout | null
  open(callback: (error?: unknown) => void): void
  bindSocketListeners(): void
  handleResult(...answer: unknown[]): void
  handleNodeEvent(...event: unknown[]): void
  freeStreamId(...header: unknown[]): void
  /** Fails what waits for an answer. */
  clearAndInvokePending(): void
}

/** The connections of one client. Give it as a member `tidemark` of the driver's option `encoding`. */
export class OpenConnections {
  readonly #open = new Set<DriverConnection>()
  readonly #clock: Clock
  #search: Timer | null = null
  #ended = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Called when the socket has been made; the connection is forgotten when that has closed. */
  opening(connection: DriverConnection): void {
    this.#open.add(connection)
    connection.netClient.once('close', () => {
      this.#open.delete(connection)
      if (!connection.connected) connection.clearAndInvokePending()
    })
    if (this.#ended) destroy(connection, sessionClosed())
  }

  /** Binds the listeners of the socket, so that what they throw ends the connection. */
  guard(connection: DriverConnection, bind: () => void): void {
    const fail = (error: unknown): void => {
      connection.netClient.destroy(error instanceof Error ? error : new Error(String(error)))
    }
    for (const name of ['handleResult', 'handleNodeEvent', 'freeStreamId'] as const) {
      const handle = connection[name].bind(connection)
      connection[name] = (...found) => {
        try {
          handle(...found)
        } catch (error) {
          fail(error)
        }
      }
    }
    bind()
    const { protocol, parser } = connection
    const bounds = new FrameBounds()
    const read = protocol.readItems.bind(protocol)
    protocol.readItems = (chunk) => {
      bounds.follow(chunk)
      read(chunk)
    }
    protocol.on('error', fail)
    parser.on('error', fail)
  }

  /** Calls back after a while, unless the session is closed before. */
  searchAgain(search: () => Promise<void>, delayMs: number): void {
    this.#search?.cancel()
    this.#search = this.#ended ? null : this.#clock.after(delayMs, () => void search())
  }

  /** Destroys all there are and all that the driver may still open. */
  destroyAll(): void {
    this.#ended = true
    this.#search?.cancel()
    for (const connection of this.#open) destroy(connection, sessionClosed())
  }
}

function destroy(connection: DriverConnection, reason?: Error): void {
  if (connection._idleTimeout !== null) clearTimeout(connection._idleTimeout)
  connection._idleTimeout = null
  connection.netClient.destroy(reason)
}

/** With an error the driver notices in every state, and goes on to its next address until there is none. */
function sessionClosed(): Error {
  return new Error('The session is closed')
}

function wrapOpen(): void {
  const prototype = driverPrototype<DriverConnection>(['open', 'bindSocketListeners'], {
    file: 'connection.js',
    what: 'connections where they are',
  })
  const { open, bindSocketListeners } = prototype
  prototype.bindSocketListeners = function bindGuarded(): void {
    const { tidemark: connections } = this.options.encoding
    const bind = bindSocketListeners.bind(this)
    if (connections instanceof OpenConnections) connections.guard(this, bind)
    else bind()
  }
  prototype.open = function openWatched(callback: (error?: unknown) => void): void {
    const { tidemark: connections } = this.options.encoding
    if (!(connections instanceof OpenConnections)) {
      open.call(this, callback)
      return
    }
    open.call(this, (error?: unknown) => {
      if (error !== undefined && error !== null) destroy(this)
      callback(error)
    })
    connections.opening(this)
  }
}

wrapOpen()

/*
 * Keeps the driver's control connection from ending the process. After a loss it looks for a new node from several places
 * at once: each way back by a contact point doubles them. Two searches at a time reset each other's connection, and the
 * TypeError that follows is nobody's to catch. For the clients that ask for it, a search that runs is shared by all who
 * want one, and an error that escapes it is followed by another search.
 */

/** What is used of the driver's control connection. */
interface Control {
  readonly options: { readonly encoding: Readonly<Record<string, unknown>> }
  readonly _reconnectionSchedule: Iterator<number>
  readonly _isShuttingDown: boolean
  /** @param nodes given when the driver goes on with the nodes of a search that runs. */
  _refresh(nodes?: unknown): Promise<void>
}

const searching = new WeakMap<Control, Promise<void>>()

function shareSearches(): void {
  const prototype = driverPrototype<Control>(['_refresh'], {
    file: 'control-connection.js',
    what: 'control connection where it is',
  })
  const { _refresh: search } = prototype
  prototype._refresh = function refreshOnce(nodes?: unknown): Promise<void> {
    const connections = this.options.encoding['tidemark']
    if (!(connections instanceof OpenConnections) || nodes !== undefined) return search.call(this, nodes)
    const running = searching.get(this)
    if (running !== undefined) return running
    const started = search
      .call(this)
      .catch(() => {
        connections.searchAgain(() => this._refresh(), delayOf(this))
      })
      .finally(() => searching.delete(this))
    searching.set(this, started)
    return started
  }
}

function delayOf({ _reconnectionSchedule: schedule }: Control): number {
  const { value } = schedule.next()
  return typeof value === 'number' ? value : 0
}

shareSearches()
