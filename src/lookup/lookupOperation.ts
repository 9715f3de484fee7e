import type { Subscriber } from 'rxjs'
import type { RefuseRecord } from '../core/badRecord.ts'
import type { OperatorContext, Step } from '../core/context.ts'
import { TidemarkError } from '../core/errors.ts'
import { Fifo } from '../core/fifo.ts'
import { LookupEntry } from './lookupEntry.ts'
import type { CheckedLookupOptions } from './lookupOptions.ts'
import { LookupQueue, type LookupQueueSpec } from './lookupQueue.ts'
import type { Operation } from '../core/operate.ts'
import { checkRecord } from '../core/misuse.ts'
import { recordBytes, type StreamRecord } from '../core/record.ts'

/** A value and what was looked up for it; `row` null: there is none. */
export interface LookedUp<V, R> {
  readonly message: V
  readonly row: R | null
}

/** What one attempt of `asyncLookup` works with. */
export interface LookupOperationSpec<V, R> {
  readonly context: Pick<OperatorContext, 'gate' | 'limits'>
  readonly step: Step
  readonly destination: Subscriber<StreamRecord<LookedUp<V, R>>>
  readonly refuse: RefuseRecord
  readonly options: Pick<CheckedLookupOptions, 'ordered' | 'capacity'>
  readonly queue: Omit<LookupQueueSpec<V, R>, 'silent' | 'settled' | 'failed'>
}

/** Memory a waiting record takes besides its bytes. */
const entryBytes = 64

/** One attempt of `asyncLookup`: what is inside and in which order it leaves, the gate, the byte limit, the end. */
export class LookupOperation<V, R> implements Operation<StreamRecord<V>> {
  readonly #spec: LookupOperationSpec<V, R>
  readonly #queue: LookupQueue<V, R>
  /** All that is inside, in the order of arrival; null where the order does not matter. */
  readonly #order: Fifo<LookupEntry<V, R>> | null
  readonly #reopenBelow: number
  #inside = 0
  #overflowBytes = 0
  #openGate: (() => void) | null = null
  #sourceCompleted = false
  #closed = false

  constructor(spec: LookupOperationSpec<V, R>) {
    const { options } = spec
    this.#spec = spec
    this.#order = options.ordered ? new Fifo() : null
    // A quarter must leave first, so that the source is not started for each single record.
    this.#reopenBelow = Math.max(1, Math.floor(options.capacity * 0.75))
    this.#queue = new LookupQueue({
      ...spec.queue,
      silent: (isSilent) => {
        spec.step.unreachable = isSilent ? spec.queue.system : null
      },
      settled: (entry) => {
        this.#settled(entry)
      },
      failed: (error) => {
        this.#fail(error)
      },
    })
  }

  next(record: StreamRecord<V>): void {
    checkRecord('asyncLookup', record)
    const { context, options, step, queue } = this.#spec
    const entry = new LookupEntry<V, R>(record, this.#inside < options.capacity ? 0 : bytesOf(record))
    this.#inside += 1
    step.pending += 1
    if (entry.overflowBytes > 0) {
      this.#overflowBytes += entry.overflowBytes
      if (this.#overflowBytes > context.limits.epochBytes) throw this.#overflow()
    }
    if (this.#inside >= options.capacity && this.#openGate === null) {
      queue.statistics.gateClosed += 1
      this.#openGate = context.gate.close()
    }
    this.#order?.push(entry)
    this.#queue.add(entry)
  }

  complete(): void {
    this.#sourceCompleted = true
    this.#completeWhenEmpty()
  }

  /** The records still inside stay counted as pending: that is how the task learns of a loss. */
  teardown(): void {
    this.#closed = true
    this.#queue.close()
    this.#openGate?.()
    this.#openGate = null
  }

  #settled(entry: LookupEntry<V, R>): void {
    try {
      if (this.#order === null) this.#leave(entry)
      else this.#leaveInOrder(this.#order)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (this.#openGate !== null && this.#inside < this.#reopenBelow) {
      const open = this.#openGate
      this.#openGate = null
      open()
    }
    this.#completeWhenEmpty()
  }

  #leaveInOrder(order: Fifo<LookupEntry<V, R>>): void {
    for (let head = order.peek(); head?.settled === true && !this.#closed; head = order.peek()) {
      order.shift()
      this.#leave(head)
    }
  }

  #leave(entry: LookupEntry<V, R>): void {
    const { step, destination, refuse } = this.#spec
    const { record, error } = entry
    entry.move('left')
    // Counted out first: what it causes downstream may end this attempt, and the record is not lost then.
    this.#inside -= 1
    step.pending -= 1
    this.#overflowBytes -= entry.overflowBytes
    if (error !== null) refuse(error, record)
    else destination.next(record.withValue({ message: record.value, row: entry.row }))
  }

  #completeWhenEmpty(): void {
    if (this.#sourceCompleted && this.#inside === 0 && !this.#closed) this.#spec.destination.complete()
  }

  #fail(error: unknown): void {
    if (this.#closed) return
    this.#spec.step.failed(error)
    this.#spec.destination.error(error)
  }

  #overflow(): TidemarkError {
    const { context, options, queue } = this.#spec
    const limit = context.limits.epochBytes
    return new TidemarkError(
      'lookup-overflow',
      `${String(this.#inside)} records wait for ${queue.system}, ${String(this.#overflowBytes)} bytes beyond the capacity of ` +
        `${String(options.capacity)}; an epoch may hold ${String(limit)}: expand less upstream or shorten the epoch`,
      { details: { inside: this.#inside, overflowBytes: this.#overflowBytes, limit } },
    )
  }
}

function bytesOf({ key, headers, raw }: StreamRecord<unknown>): number {
  return recordBytes({ key, headers, value: raw }) + entryBytes
}
