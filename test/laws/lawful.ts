import type { OperatorFunction } from 'rxjs'
import type { PipelineContext } from '../../src/core/context.ts'
import type { StreamRecord } from '../../src/core/record.ts'

/** An operator as the laws see it: with one callback that throws for the offset it is given. */
export interface Lawful {
  /** How it is used, where it is used in several ways. */
  readonly form?: string
  /** False: it has no callback of the job's. Default true. */
  readonly callback?: boolean
  /** False: it is made of stock operators alone, and reports nothing to the task. Default true. */
  readonly reports?: boolean
  build(context: PipelineContext, throwsAt: number): OperatorFunction<StreamRecord, unknown>
}

export const bug = new Error('bug')

/** What a callback does first. */
export function throwAt(offset: number, throwsAt: number): void {
  if (offset === throwsAt) throw bug
}
