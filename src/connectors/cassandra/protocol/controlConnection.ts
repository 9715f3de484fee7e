import { createRequire } from 'node:module'
import { TidemarkError } from '../../../core/errors.ts'
import { OpenConnections } from './openConnections.ts'

/**
 * Keeps the driver's control connection from ending the process. After a loss it looks for a new node from several places
 * at once: each way back by a contact point doubles them. Two searches at a time reset each other's connection, and the
 * TypeError that follows is nobody's to catch. For the clients that ask for it, a search that runs is shared by all who
 * want one, and an error that escapes it is followed by another search.
 */
const ControlConnection: unknown = createRequire(import.meta.url)('cassandra-driver/lib/control-connection.js')

/** What is used of the driver's control connection. */
interface Control {
  readonly options: { readonly encoding: Readonly<Record<string, unknown>> }
  readonly _reconnectionSchedule: Iterator<number>
  readonly _isShuttingDown: boolean
  /** @param nodes given when the driver goes on with the nodes of a search that runs. */
  _refresh(nodes?: unknown): Promise<void>
}

const searching = new WeakMap<Control, Promise<void>>()

function isControlClass(value: unknown): value is { readonly prototype: Control } {
  return typeof value === 'function' && typeof (value.prototype as Partial<Control>)._refresh === 'function'
}

function shareSearches(): void {
  if (!isControlClass(ControlConnection)) {
    throw new TidemarkError(
      'broken-invariant',
      'This version of cassandra-driver has no control connection where it is looked for.',
    )
  }
  const { prototype } = ControlConnection
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
