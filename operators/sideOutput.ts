import type { Observable } from 'rxjs'
import { checkText, checkWord } from '../src/core/mistakes.ts'
import { operatorContext, type PipelineContext, type SideOutput } from '../src/core/context.ts'
import { operate } from '../src/core/operate.ts'
import type { RecordPosition } from '../src/core/record.ts'

export interface SideOutputOptions<T> {
  /**
   * `emission` (default): records come as they are emitted. `position`, for what has one: all of the epoch's come at its
   * end, sorted by topic, partition and offset of their source record, so that their order does not depend on timing.
   */
  readonly order?: 'emission' | ([T] extends [RecordPosition] ? 'position' : never)
}

const operator = 'sideOutput'

/**
 * A second way out of a pipeline, for dead letters or any other records: operators `emit` to it, and its `records$` is
 * returned as a pipeline of its own. Its records ride in the same commit as the main output.
 *
 * `records$` completes when every pipeline that is returned before its consumer has completed. One that nobody consumes is
 * a plan error.
 *
 * Memory: none in order of emission; in order of position all of the epoch's records are kept until its barrier, which
 * the epoch's byte limit bounds, as they are made of its input.
 *
 * @throws TidemarkError `invalid-argument`; on `emit`: `side-output-closed`
 * @example const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters', { order: 'position' })
 */
export function sideOutput<T>(
  context: PipelineContext,
  name: string,
  { order = 'emission' }: SideOutputOptions<T> = {},
): SideOutput<T> {
  checkText({ operator, option: 'name', example: "'dead-letters'" }, name)
  checkWord({ operator, option: 'order', example: "order: 'position'" }, order, ['emission', 'position'])
  const output = context.sideOutput<T>(name)
  if (order === 'emission') return output
  return {
    name,
    emit: (value) => {
      output.emit(value)
    },
    // Asked for by its type, which says that they have one.
    records$: inPositionOrder(context, name, output.records$ as Observable<T & RecordPosition>),
  }
}

function inPositionOrder<T extends RecordPosition>(
  context: PipelineContext,
  name: string,
  records$: Observable<T>,
): Observable<T> {
  const step = operatorContext(context).step({ kind: operator, name: `${name}-by-position` })
  return operate(step, records$, (destination) => {
    const kept: T[] = []
    return {
      next(record) {
        kept.push(record)
        step.pending += 1
      },
      complete() {
        // Stable: what one source record led to keeps its order.
        kept.sort(byPosition)
        for (const record of kept) {
          step.pending -= 1
          destination.next(record)
          if (destination.closed) return
        }
        destination.complete()
      },
    }
  })
}

function byPosition(a: RecordPosition, b: RecordPosition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition || a.offset - b.offset
}
